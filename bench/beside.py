"""Other packages beside lpr_fast on the same input: how far their numbers agree, and what each takes.

`--peer NAME=PYTHON` compares one peer, by the Python that has it; all are tried with this Python otherwise.
"""

from __future__ import annotations

import sys
from argparse import Namespace

from measure import finish, parser, print_machine
from peers.comparisons import PEERS, Options
from peers.elsewhere import has


def options() -> Namespace:
    """What every benchmark takes, and the peers."""
    arguments = parser(__doc__)
    arguments.add_argument("--peer", action="append", metavar="NAME=PYTHON", help=f"NAME is one of {', '.join(PEERS)}")
    given = arguments.parse_args()
    given.peers = (
        dict(peer.split("=", 1) for peer in given.peer) if given.peer else dict.fromkeys(PEERS, sys.executable)
    )
    if unknown := set(given.peers) - set(PEERS):
        arguments.error(f"no comparison with {', '.join(unknown)}: there are {', '.join(PEERS)}")
    return given


def main() -> None:
    """Compare what is there; say what is not."""
    given = options()
    print_machine(given.threads)
    for name, python in given.peers.items():
        print(f"\n{name}")
        if has(python, name):
            PEERS[name](Options(python, given.repeats, given.threads, given.toy))
        else:
            print(f"{python} has no module {name}: give the Python of an environment that has, --peer {name}=PYTHON")
    finish()


if __name__ == "__main__":
    main()
