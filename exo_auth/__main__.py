"""Entry point: answers `--version` before it imports anything, and turns every error into one line and a code."""

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from exo_auth import __version__

        print(f"exo-auth {__version__}")
        return
    from exo_auth.cli.app import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
