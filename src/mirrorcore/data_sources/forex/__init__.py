"""Exchange rates of currencies from files of quotes."""
