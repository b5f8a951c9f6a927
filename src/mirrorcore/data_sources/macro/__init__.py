"""Figures of statistical offices and central banks, each known from its release and not before."""
