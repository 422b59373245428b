"""The program: `python main.py KEY=VALUE …`, `-m` for sweeps, `pinn-ext compare FOLDER`."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pinn_ext import schema
from pinn_ext.config_errors import one_line

_DEFAULT_RUN_DIR = "outputs/${now:%Y-%m-%d}/${now:%H-%M-%S}"
_DEFAULT_SWEEP_DIR = "multirun/${now:%Y-%m-%d}/${now:%H-%M-%S}"
_REFUSED = 2


class Refused(Exception):
    """The command cannot be carried out; the message is one sentence."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        argv: the arguments; None takes those of the process.

    Returns:
        The exit status: 0 if all went well, 1 if a run failed, 2 if the command was refused,
        130 or 143 if it was interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    # Threads that spin while they wait make a run on busy cores ten times slower, for nothing.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        if arguments[:1] == ["compare"]:
            return _compare(arguments[1:])
        return _hydra(arguments)
    except Refused as refusal:
        print(f"pinn-ext: {refusal}", file=sys.stderr)
        return _REFUSED


def _compare(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        raise Refused(f"`compare` takes one folder: pinn-ext compare FOLDER, got {arguments}.")
    from pinn_ext.checkpoints import RunError
    from pinn_ext.compare import compare

    try:
        rows, text = compare(Path(arguments[0]))
    except RunError as error:
        raise Refused(str(error)) from None
    print(text)
    return 0 if all(row["status"] == "ok" for row in rows) else 1


def _hydra(arguments: list[str]) -> int:
    from hydra._internal.utils import get_args_parser

    if "OMPI_COMM_WORLD_SIZE" in os.environ:
        raise Refused(
            "The program cannot run under mpirun (OMPI_COMM_WORLD_SIZE is set); use -m for sweeps."
        )
    _register_schema()
    options = get_args_parser().parse_args(arguments)
    informs = (options.help, options.hydra_help, options.cfg, options.info)
    if any(informs) or options.shell_completion:
        return _by_hydra(arguments)
    return _sweep(options, arguments) if options.multirun else _single(options)


def _register_schema() -> None:
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(name="schema", node=schema.Config)


def config_dir() -> Path:
    """Return the folder of the program's own configuration.

    Returns:
        `configs` inside the installed package, or beside it in a checkout.

    Raises:
        FileNotFoundError: if there is neither.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / "config.yaml").is_file():
            return folder
    raise FileNotFoundError(f"`configs` must lie in or beside {package}, got neither.")


# ---- one run ----------------------------------------------------------------------------------


def compose(
    overrides: Sequence[str], *, search: str | None = None, name: str = "config"
) -> tuple[Any, Any]:
    """Compose a configuration without running anything.

    Args:
        overrides: as on the command line.
        search: one more folder of configuration groups.
        name: of the primary configuration file.

    Returns:
        The configuration, and Hydra's own part of it.

    Raises:
        Refused: if Hydra cannot compose it; one sentence.
    """
    import hydra
    from omegaconf import OmegaConf, open_dict

    _register_schema()
    own = list(overrides)
    if search:
        own.append(f"hydra.searchpath=[file://{Path(search).resolve()}]")
    try:
        with hydra.initialize_config_dir(
            str(config_dir()), version_base="1.3", job_name="pinn-ext"
        ):
            cfg = hydra.compose(name, own, return_hydra_config=True)
        hydra_part = cfg.hydra
        with open_dict(cfg):
            del cfg["hydra"]
        OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except Exception as error:
        raise Refused(one_line(error)) from None
    for key in cfg:  # Hydra lets `+key=value` through at the root
        if key not in schema.Config.__dataclass_fields__:
            legal = ", ".join(schema.Config.__dataclass_fields__)
            raise Refused(f"`{key}` is no key of the configuration; legal there: {legal}.")
    return cfg, hydra_part


def _single(options: Any) -> int:
    cfg, hydra_part = compose(
        options.overrides, search=options.config_dir, name=options.config_name or "config"
    )
    overrides = _task_overrides(options.overrides)
    choices = {k: v for k, v in hydra_part.runtime.choices.items() if "hydra" not in k}
    chosen = _chosen(hydra_part.run, _DEFAULT_RUN_DIR)
    saved, source = None, None
    if cfg.training.resume is None:
        _check(cfg)
        folder = _new_folder(Path("outputs"), cfg.experiment.name, chosen)
    else:
        from pinn_ext import resume

        with _refusals():
            plan = resume.prepare(Path(cfg.training.resume), cfg, overrides, choices)
        cfg, choices, saved, source = plan.cfg, plan.choices, plan.saved, plan.folder
        _check(cfg)
        same = chosen is None or chosen.resolve() == source.resolve()
        folder = source if same else _new_folder(Path("outputs"), cfg.experiment.name, chosen)
        if not same:
            with _refusals():
                resume.copy_history(source, folder)
    return _run(cfg, folder, overrides, choices, saved)


def _run(cfg: Any, folder: Path, overrides: list[str], choices: dict, saved: Any) -> int:
    from pinn_ext.experiment import Info, run
    from pinn_ext.interrupts import Interrupts

    with Interrupts().caught() as interrupts, _refusals():
        info = Info(overrides=overrides, choices=choices)
        content = run(cfg, folder, info=info, saved=saved, interrupts=interrupts)
    if content["status"] == "failed":
        print(f"pinn-ext: {content['message']}", file=sys.stderr)
        return 1
    return interrupts.exit_status if content["status"] == "interrupted" else 0


def _check(cfg: Any) -> None:
    with _refusals():
        schema.validate(cfg)  # without torch, so that a typo is answered at once
        from pinn_ext import experiment

        experiment.check(cfg)


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Turn what a user can cause into one sentence; anything else is ours and keeps its trace."""
    try:
        yield
    except ValueError as error:
        raise Refused(str(error)) from None
    except RuntimeError as error:
        if type(error).__name__ != "RunError":
            raise
        raise Refused(str(error)) from None


def _task_overrides(overrides: Sequence[str]) -> list[str]:
    return [o for o in overrides if not o.lstrip("+~").startswith("hydra")]


def _chosen(node: Any, default: str) -> Path | None:
    """Return the output folder that the user asked for, None if it is Hydra's default."""
    from omegaconf import OmegaConf

    raw = OmegaConf.to_container(node, resolve=False)["dir"]  # type: ignore[index, call-overload]
    return None if raw == default else Path(node.dir)


def _new_folder(parent: Path, name: str, chosen: Path | None) -> Path:
    """Make the folder of a run: unique, or the one asked for if it holds no run yet."""
    try:
        if chosen is not None:
            chosen.mkdir(parents=True, exist_ok=True)
            if (chosen / "checkpoint.pt").exists() or (chosen / "report.json").exists():
                raise Refused(
                    f"The folder {chosen} must hold no run yet; go on with the one in it by "
                    f"training.resume={chosen}, or choose another folder."
                )
            return chosen
        parent.mkdir(parents=True, exist_ok=True)
        while True:
            stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
            folder = parent / f"{name}-{stamp}"
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                return folder
    except OSError as error:
        where = chosen or parent
        raise Refused(f"The folder {where} cannot be made ({error.strerror}).") from None


# ---- sweeps -----------------------------------------------------------------------------------


def _sweep(options: Any, arguments: list[str]) -> int:
    from pinn_ext.compare import compare, expand

    try:
        jobs = expand(options.overrides)
    except Exception as error:
        raise Refused(one_line(error)) from None
    for job_overrides in jobs:  # all of them can be composed, or nothing is started
        cfg, hydra_part = compose(
            job_overrides, search=options.config_dir, name=options.config_name or "config"
        )
    chosen = _chosen(hydra_part.sweep, _DEFAULT_SWEEP_DIR)
    folder = _new_folder(Path("multirun"), cfg.experiment.name, chosen)
    status = 0
    try:
        status = _by_hydra([*arguments, f"hydra.sweep.dir={folder}"])
    except KeyboardInterrupt:
        status = 130
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
    except Exception as error:
        print(f"pinn-ext: {one_line(error)}", file=sys.stderr)
        status = 1
    finally:
        rows, text = compare(folder)
        print(f"\n{text}", flush=True)
    return status or (0 if all(row["status"] == "ok" for row in rows) else 1)


def _by_hydra(arguments: list[str]) -> int:
    import hydra

    # Hydra would print errors on several lines and exit; so it raises them.
    before = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv = [sys.argv[0], *arguments]
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        hydra.main(config_path=str(config_dir()), config_name="config", version_base="1.3")(job)()
    finally:
        sys.argv = before[0]
        if before[1] is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = before[1]
    return 0


def job(cfg: Any) -> None:
    """Run one job of a sweep; whatever happens, it leaves a report and lets the others run.

    Args:
        cfg: the job's configuration.

    Raises:
        KeyboardInterrupt: if it was interrupted, after its report was written.
        SystemExit: if it was terminated, after its report was written.
    """
    import torch
    from hydra.core.hydra_config import HydraConfig

    from pinn_ext import experiment, report
    from pinn_ext.checkpoints import RunError
    from pinn_ext.interrupts import Interrupts

    own = HydraConfig.get()
    folder = Path(own.runtime.output_dir)
    choices = {k: v for k, v in own.runtime.choices.items() if "hydra" not in k}
    info = experiment.Info(list(own.overrides.task), choices, own.job.num)
    torch.set_num_threads(1)  # jobs share the cores; threads that wait for each other are slow
    with Interrupts().caught() as interrupts:
        try:
            if cfg.training.resume is not None:
                raise ValueError("`training.resume` cannot be used in a sweep.")
            content = experiment.run(cfg, folder, info=info, interrupts=interrupts)
        except Exception as error:
            if not isinstance(error, (ValueError, RunError)):
                (folder / "error.log").write_text(traceback.format_exc())
            content = report.failure(
                one_line(error),
                strategy=schema.strategy_of(cfg.training.loss.adaptive),
                problem=cfg.problem.name,
                seed=cfg.seed,
                overrides=info.overrides,
                job=info.job,
            )
            report.write(folder, content)
    if content["status"] == "failed":
        print(f"pinn-ext: job {info.job} failed: {content['message']}", file=sys.stderr)
    if interrupts.signal == 2:
        raise KeyboardInterrupt
    if interrupts.signal:
        raise SystemExit(interrupts.exit_status)
