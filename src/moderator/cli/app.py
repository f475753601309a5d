"""The root of the command line, and the one place where an error becomes an exit code.

0 clean · 1 findings at or above `fail_on` · 2 your input · 3 the environment · 4 a bug · 5 some pictures could not be
judged · 130 interrupted
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from moderator import machine
from moderator.cli import (
    attack,
    calibrate,
    compare,
    db,
    decisions,
    demo,
    doctor,
    export,
    init,
    models,
    output,
    plan,
    plugins,
    policy,
    references,
    scan,
    search,
    version,
)
from moderator.cli.password import ask
from moderator.cli.screen import complain
from moderator.errors import EnvironmentFault, ModeratorError, UnreadableImage
from moderator.wording import plainly

if TYPE_CHECKING:
    from typer.exceptions import TyperException

ENVIRONMENT, BUG, UNJUDGED, INTERRUPTED = EnvironmentFault.exit_code, 4, 5, 130
REFUSALS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""What no program can help when a machine answers with it: no room, no memory, no more files, a broken disk."""

COMMANDS: dict[str, Callable[..., None] | typer.Typer] = {
    "scan": scan.scan,
    "plan": plan.plan,
    "decide": decisions.decide,
    "calibrate": calibrate.calibrate,
    "attack": attack.attack,
    "demo": demo.demo,
    "init": init.init,
    "search": search.search,
    "compare": compare.compare,
    "plugins": plugins.plugins,
    "doctor": doctor.doctor,
    "version": version.version,
    "decisions": decisions.app,
    "policy": policy.app,
    "references": references.app,
    "db": db.app,
    "export": export.app,
    "models": models.app,
}
"""Commands, and groups of commands, by name."""
PASSING = frozenset({"attack", "calibrate", "compare", "search"})
"""Those that store nothing of what they have done."""
ONWARDS = "what was finished is kept, and the same command goes on from there"
ANEW = "nothing is kept, and the same command begins anew"


def application(asked: Collection[str]) -> typer.Typer:
    """Returns the command line. Only the commands that are `asked` take options, the others are a name and a help: to
    make all ready takes a start as long as everything else."""
    app = typer.Typer(
        name="moderator",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help: drawing boxes costs a third of its time
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(root)
    for name, command in COMMANDS.items():
        if isinstance(command, typer.Typer):
            if name in asked:
                app.add_typer(command, name=name)
            else:
                app.command(name, help=command.info.help)(_never)
        else:
            app.command(name, help=command.__doc__)(command if name in asked else _never)
    return app


def root(
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=version.eager)
    ] = False,
) -> None:
    """Finds duplicate, prohibited and lookalike images, and shows the evidence for every verdict."""


def _never() -> None:
    """Stands for a command that is not asked."""


def main() -> None:
    """Runs the command line and exits."""
    _open_closed_streams()
    machine.keep_memory()
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # before a command began, or again while it said so
        code = INTERRUPTED
    try:
        sys.stdout.flush()
    except OSError as error:
        output.abandon(sys.stdout)
        if error.errno in REFUSALS and code != ENVIRONMENT:
            code = _refused(error)
    sys.exit(code)


def _open_closed_streams() -> None:
    """Lets the streams that a daemon closed before it began lead to nowhere, lest a store be opened in their place."""
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        continue
    os.close(handle)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - open till the end


def run(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code; says what is wrong on standard error."""
    from typer.exceptions import Abort, TyperException
    from typer.main import get_command

    from moderator.registry import Registry, describe

    completing = "_MODERATOR_COMPLETE" in os.environ  # what is asked is then in the environment too
    app = application(COMMANDS if completing else arguments)
    try:
        Registry.discover().add_commands(app)
        result = get_command(app).main(list(arguments), prog_name="moderator", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except ModeratorError as error:
        if ask(error):
            return run(arguments)  # nothing was done yet: the store comes first
        complain(str(error), error.hint)
        code = error.exit_code
    except UnreadableImage as error:
        complain(error.reason)
        code = UNJUDGED
    except TyperException as error:
        _say_usage(error)
        code = 2
    except (KeyboardInterrupt, Abort):
        code = INTERRUPTED
    except Exception as error:
        if os.environ.get("MODERATOR_TRACEBACK"):
            raise
        if isinstance(error, OSError) and error.errno in REFUSALS:
            code = _refused(error)
        else:
            told = "please report it with what MODERATOR_TRACEBACK=1 shows"
            complain(f"a bug in moderator: {describe(error)}", told)
            code = BUG
    if code == INTERRUPTED:  # which typer may have caught itself
        complain(f"interrupted: {ANEW if PASSING.intersection(arguments[:1]) else ONWARDS}")
    return code


def _refused(error: OSError) -> int:
    """Says what the machine has refused; returns the exit code."""
    where = f": {error.filename}" if error.filename else ""
    complain(f"the machine refuses: {error.strerror}{where}", "what was finished is kept; make room and start again")
    return ENVIRONMENT


def _say_usage(error: TyperException) -> None:
    message = error.format_message()
    if message.startswith("Usage:"):  # a group without a command: its help is what was asked for
        output.show(f"{message}\n")
    else:
        context = getattr(error, "ctx", None)
        complain(plainly(message), f"`{context.command_path if context else 'moderator'} --help` shows what it takes")
