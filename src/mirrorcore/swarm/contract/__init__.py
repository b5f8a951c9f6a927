"""What every agent keeps to, as checks that can be run on anybody's agent.

``states`` says whether one output is in order, ``world`` records the surroundings of an agent in a
replay of its own swarm, ``bench`` runs fresh instances of it there again, alone, ``rules`` are the
promises, and ``patience`` gives an agent up that does not come back. The suite over the roster uses
the same parts.
"""

from mirrorcore.swarm.contract.patience import patience
from mirrorcore.swarm.contract.rules import ContractReport, Finding, Verdict, check_agent
from mirrorcore.swarm.contract.states import digest, faults_of, same_bits

__all__ = [
    "ContractReport",
    "Finding",
    "Verdict",
    "check_agent",
    "digest",
    "faults_of",
    "patience",
    "same_bits",
]
