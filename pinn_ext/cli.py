"""The program: `python main.py KEY=VALUE …`, `-m` for sweeps, `pinn-ext COMMAND …` otherwise."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pinn_ext.files import RunError, exists, shortened
from pinn_ext.program import commands
from pinn_ext.program.ranks import environment as ranks
from pinn_ext.program.terminal.refusals import Refused, refusals

if TYPE_CHECKING:  # each is loaded where a command needs it, as its first word should come at once
    from pinn_ext import schema
    from pinn_ext.program.build import Checked
    from pinn_ext.program.run_info import Info

_REFUSED = 2
_LONGEST = 1500  # characters of a refusal: some list all keys


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        argv: the arguments; None takes those of the process.

    Returns:
        The exit status: 0 if all went well, 1 if a run failed, 2 if the command was refused,
        130 or 143 if it was interrupted.

    Example:
        >>> main(["training.epochz=3"])
        2
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    # Threads that spin for long while they wait make a run on busy cores ten times slower; ones
    # that do not spin at all make it twice as slow on idle ones. Read when torch is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    try:
        return _carry_out(arguments)
    except Refused as refusal:
        text = str(refusal)  # a user's text in it may be of any length
        short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} … ({len(text)} characters)"
        ranks.leave_it_to_rank_0()
        print(f"pinn-ext: {short}", file=sys.stderr)
        return _REFUSED
    except KeyboardInterrupt:  # before a run has begun to catch it
        return 130


def _carry_out(arguments: list[str]) -> int:
    if "--version" in arguments or arguments in (["-h"], ["--help"]):
        from pinn_ext.program.terminal import own_help
        from pinn_ext.program.terminal.progress import say

        is_version = "--version" in arguments
        say(own_help.version_line() if is_version else own_help.help_text())
        return 0
    if commands.is_meant(arguments):
        _refuse_job(f"The command {arguments[0]}")
        return commands.run(arguments[0], arguments[1:])
    _refuse_early(arguments)
    return _hydra(arguments)


def _refuse_early(arguments: list[str]) -> None:
    """Refuse what can be without Hydra: it takes longer to load than all else here."""
    options = [own for own in arguments if own.startswith("-")]
    if any(own not in ("-m", "--multirun") for own in options):
        return  # a recipe of the user's may have groups of its own
    from pinn_ext.program.hydra_errors import unknown_override
    from pinn_ext.program.terminal import plain_numbers

    for argument in arguments:
        if sentence := unknown_override(argument):
            raise Refused(sentence)
    if sentence := plain_numbers.refused(arguments):
        raise Refused(sentence)


def _hydra(arguments: list[str]) -> int:
    from hydra._internal.utils import get_args_parser

    from pinn_ext.program.composition import (
        by_hydra,
        check_choices,
        config_loader,
        register_schema,
    )
    from pinn_ext.program.hydra_errors import one_line

    if "OMPI_COMM_WORLD_SIZE" in os.environ:
        raise Refused(
            "The program cannot run under mpirun (OMPI_COMM_WORLD_SIZE is set); use -m for sweeps."
        )
    register_schema()
    arguments = list(map(_with_own_keys, arguments))
    # Hydra's parser wants the overrides in one piece: `a=1 -m b=2` becomes `-m a=1 b=2`.
    arguments = sorted(arguments, key=lambda a: "=" in a and not a.startswith("-"))
    parser = get_args_parser()
    parser.error = _refuse  # type: ignore[method-assign]  # argparse would print its usage, ten lines
    options = parser.parse_args(arguments)
    if options.experimental_rerun:  # Hydra would unpickle the file, which runs what stands in it
        raise Refused("`--experimental-rerun` is not for this program: use training.resume=FOLDER.")
    informs = (options.help, options.hydra_help, options.cfg, options.info)
    if options.config_path or (options.multirun and options.run):
        raise Refused(
            "`--config-path` and `--run` with `--multirun` are not for this program: own recipes "
            "lie in a folder that --config-dir names."
        )
    if not options.cfg and (options.package or options.resolve):
        raise Refused("`--package` and `--resolve` say how --cfg prints the configuration.")
    if any(informs) or options.shell_completion:
        from pinn_ext.program.sweep import job

        check_choices(options.overrides, config_loader(options.config_dir))
        try:
            return by_hydra(arguments, job)
        except Exception as error:
            raise Refused(one_line(error)) from None
    if not options.multirun:
        return _single(options)
    _refuse_job("A sweep")
    from pinn_ext.program.sweep import sweep

    return sweep(options, arguments)


def _refuse_job(what: str) -> None:
    if (count := ranks.count()) > 1:
        raise Refused(f"{what} cannot be shared by processes: start one instead of {count}.")


def _refuse(message: str) -> NoReturn:
    raise Refused(f"The command line cannot be read: {message}.")


def _with_own_keys(argument: str) -> str:
    """Let an override give a key to a mapping whose keys are not the schema's but, say, names."""
    from pinn_ext import schema

    key = argument.partition("=")[0] + "."
    return f"++{argument}" if key.startswith(schema.FREE_KEYS) else argument


def _single(options: Namespace) -> int:
    from pinn_ext.program.composition import chosen_folder, compose, new_folder
    from pinn_ext.program.problem import refuse_unnamed
    from pinn_ext.program.run_info import Info

    cfg, hydra_part = compose(
        options.overrides, search=options.config_dir, name=options.config_name or "config"
    )
    if str(hydra_part.mode).endswith("MULTIRUN"):
        raise Refused(
            "`hydra.mode` cannot be MULTIRUN without -m: add -m (--multirun) for a sweep."
        )
    overrides = [o for o in options.overrides if not o.lstrip("+~").startswith("hydra")]
    choices = {k: v for k, v in hydra_part.runtime.choices.items() if "hydra" not in k}
    chosen = chosen_folder(hydra_part.run)
    with refusals():
        refuse_unnamed(cfg, overrides)
    if cfg.training.resume is not None:
        return _resume(cfg, overrides, choices, chosen)
    checked = _check(cfg)
    if ranks.is_follower():
        return _follow(checked)
    folder = new_folder("outputs", cfg.experiment.name, chosen)
    return _run(checked, folder, Info(overrides, choices))


def _resume(
    cfg: schema.Config, overrides: list[str], choices: dict[str, str], chosen: Path | None
) -> int:
    """Go on with the run of a checkpoint, in its own folder or in the one that was asked for."""
    from pinn_ext.program.terminal.progress import say_loading

    path = Path(str(cfg.training.resume))
    if str(path).strip() and not exists(path):  # told before torch is loaded
        raise Refused(f"There is no checkpoint at {shortened(path)}.")
    say_loading()
    from pinn_ext.program import resume
    from pinn_ext.program.composition import new_folder
    from pinn_ext.program.run_info import Info

    with refusals():
        plan = resume.prepare(path, cfg, overrides, choices)
    folder = plan.file.parent
    checked = _check(plan.cfg)
    if ranks.is_follower():
        return _follow(checked)
    if chosen is not None and chosen.resolve() != folder.resolve():
        with refusals():
            resume.check_tables(plan)
        folder = new_folder("outputs", plan.cfg.experiment.name, chosen)
    return _run(checked, folder, Info(plan.overrides, plan.choices, plan.job), plan.file)


def _follow(checked: Checked) -> int:
    from pinn_ext.program.ranks.follower import follow

    return follow(checked)


def _run(
    checked: Checked,
    folder: Path,
    info: Info,
    source: Path | None = None,
) -> int:
    from pinn_ext.program.ranks import group
    from pinn_ext.program.run import run

    job = group.joined(checked.cfg, checked.device)
    try:
        with job, group.interrupts().caught() as interrupts:
            content = run(checked, folder, info=info, source=source, interrupts=interrupts)
    except RunError as error:
        print(f"pinn-ext: {error}", file=sys.stderr)
        return 1
    if content["status"] == "failed":
        print(f"pinn-ext: {content['message']}", file=sys.stderr)
        return 1
    return interrupts.exit_status if content["status"] == "interrupted" else 0


def _check(cfg: schema.Config) -> Checked:
    from pinn_ext import schema
    from pinn_ext.program.hydra_errors import one_line
    from pinn_ext.program.machine.sizes import check_sizes
    from pinn_ext.program.problem import check_files
    from pinn_ext.program.terminal.progress import say_loading

    with refusals():
        settings = schema.validate(cfg)  # without torch, so that a typo is answered at once
        ranks.check(cfg, settings)
        check_sizes(cfg)
        check_files(cfg)
        say_loading()
        from pinn_ext.program.build import check
        from solvers.devices import is_out_of_memory

        try:
            return check(cfg, settings)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise Refused(f"The nodes do not fit into memory ({one_line(error)}).") from None
