"""Bad input: one line that names key, value and what is allowed, no traceback, no folder.

The keys and their validation, `pinn_ext.schema`, are tested here.
"""

import pytest

from tests.program.conftest import SMALL

REFUSED = [
    (["training.epochs=0"], "`training.epochs` must be a whole number >= 1, got 0."),
    (["training.epochs=2.5"], "`training.epochs` must be a whole number, got '2.5'"),
    (["dataset.num_graphs=0"], "`dataset.num_graphs` must be a whole number >= 1, got 0."),
    (["dataset.num_graphs=many"], "`dataset.num_graphs` must be a whole number, got 'many'."),
    (["training.learning_rate=-1"], "`training.learning_rate` must be a finite number > 0, got -1"),
    (["training.learning_rate=0"], "`training.learning_rate` must be a finite number > 0, got 0"),
    (["training.learning_rate=nan"], "finite number > 0, got nan"),
    (["training.learning_rate=inf"], "finite number > 0, got inf"),
    (["training.lrr=1"], "`training.lrr` is no key of the configuration"),
    (["training.learning_rat=1"], "(did you mean `training.learning_rate`?)"),
    (["trainin.epochs=1"], "trainin"),
    (["+foo=1"], "`foo` is no key of the configuration; legal there: seed"),
    (["+training.foo=1"], "`training.foo` is no key of the configuration"),
    (["training=adaptive_equal_int"], "(did you mean 'adaptive_equal_init'?)"),
    (["training.learning_rate=1e-3,1e-2"], "add -m (--multirun)"),
    (["training.epochs=[1"], "training.epochs=[1"),
    (
        ["training=adaptive_ema", "training.loss.adaptive.strategy=emma"],
        "`training.loss.adaptive.strategy` must be one of",
    ),
    (["training.loss.adaptive.strategy=ema"], "enabled` must be true"),
    (
        ["training.loss.adaptive.options=[1]"],
        "`training.loss.adaptive.options` must map names to values, such as {name: value}, got",
    ),
    (
        ["training.loss.adaptive.groups.bc=IC_loss1"],
        "`training.loss.adaptive.groups.bc` must be a list of names of loss terms, got 'IC_loss1'",
    ),
    (
        ["training=adaptive_ema", "training.loss.adaptive.groups.bc=[IC_loss1]"],
        "groups['bc']` must name loss terms among PI_loss1, PI_loss2, RK4_loss1, RK4_loss2, got",
    ),
    (
        [
            "training=adaptive_multi_stage",
            "training.loss.adaptive.options.stages="
            "[{strategy: fixed, until_epoch: 9}, {strategy: ema}]",
            "training.epochs=5",
        ],
        "`training.epochs` must reach the end of each stage but the last (stage 1 of 2 would last "
        "until update 9 of 5, so that the stages after it never begin), got 5.",
    ),
    (
        [
            "training=adaptive_auto",
            "training.loss.adaptive.options.candidates=[{strategy: ema, options: [1]}]",
        ],
        "`training.loss.adaptive.options.candidates[0].options` must map names to values, got [1]",
    ),
    (
        ["training=adaptive_gradnorm", "training.loss.adaptive.options.temperature=1"],
        "got 'temperature' (an option of dwa, relobralo)",
    ),
    (["training=adaptive_auto", "training.epochs=4"], "`training.epochs` must be at least 5"),
    (["training.loss.adaptive.ema_alpha=1.5"], "`training.loss.adaptive.ema_alpha` must be"),
    (["training.loss.adaptive.weight_beta=1"], "in [0, 1), got 1"),
    (
        ["training.loss.adaptive.update_frequency=0"],
        "update_frequency` must be a whole number >= 1",
    ),
    (["training.loss.adaptive.normalization=median"], "must be one of initial, mean, none, total"),
    (["training.loss.adaptive.max_ratio=0.5"], "max_ratio` must be a finite number >= 1"),
    (["training.loss.adaptive.min_weight=10", "training.loss.adaptive.max_weight=1"], "got 1.0"),
    (["training.loss.w1_PI=-1"], "`training.loss.w1_PI` must be a finite number >= 0, got -1.0."),
    (["training=adaptive_ema", "training.loss.w1_rk4=1e9"], "got 1000000000.0"),
    (["training.optimizer=adamw"], "adamw"),
    (["training.optimizer=adamm"], "must be one of adam, adamw, rmsprop, sgd, got 'adamm'"),
    (["training.lbfgs_iterations=-1"], "`training.lbfgs_iterations` must be a whole number >= 0"),
    (["training.epochs=0"], "`training.epochs` must be a whole number >= 1, got 0"),
    (["training=gauss_newton", "training.epochs=-1"], "must be a whole number >= 0, got -1"),
    (["training.gauss_newton.iterations=0"], "`training.gauss_newton.iterations` must be"),
    (["training.gauss_newton.points=0"], "`training.gauss_newton.points` must be"),
    (["training.gauss_newton.points=3.5"], "training.gauss_newton.points"),
    (["training.gauss_newton.tolerance=-1"], "`training.gauss_newton.tolerance` must be"),
    (["training.gauss_newton.damping=nielson"], "did you mean 'nielsen'?"),
    (["training.gauss_newton.weights=none"], "must be one of balance, keep, got 'none'"),
    (["training.gauss_newton.resample_every=-2"], "`training.gauss_newton.resample_every` must"),
    (["training.gauss_newton.sketch=all"], "`training.gauss_newton.sketch` must be null, auto or"),
    (["training.gauss_newton.sketch=2.5"], "`training.gauss_newton.sketch` must be null, auto or"),
    (["training.gauss_newton.memory_limit_gb=0"], "`training.gauss_newton.memory_limit_gb` must"),
    (["training.gauss_newton.itertions=3"], "itertions"),
    (["training.resume=nowhere"], "There is no checkpoint at nowhere"),
    (["problem=brusselater"], "(did you mean 'brusselator'?)"),
    (["problem=[1]"], "`problem` must be one of belousov_zhabotinsky, brusselator, "),
    (["problem=3"], "schroedinger, got 3."),
    (["problem=3", "--cfg", "job"], "schroedinger, got 3."),
    (["problem=[]"], "schroedinger, got []."),
    (["problem=[brusselator,brusselater]"], "got ['brusselator', 'brusselater']."),
    (["+experiment=null"], "`experiment` must be one of default, got None."),
    (["problem.name=brusselater"], "(did you mean 'brusselator'?)"),
    (["problem.conditions=harsh"], "must be one of hard, soft, got 'harsh'"),
    (["problem.scaling=field"], "must be one of fields, inputs, none, got 'field'"),
    (["problem.scales=[1]"], "`problem.scales` must hold one number for u and one for v"),
    (["problem.boundary=neumann"], "must be one of dirichlet, periodic, got 'neumann'"),
    (["+problem.parameters.sid=3"], "'sid'"),
    (["dataset.step=2"], "`dataset.step` must be a finite number in (0, 1), got 2.0."),
    (["dataset.nodes_per_side=2"], "`dataset.nodes_per_side` must be a whole number >= 3, got 2."),
    (
        ["problem=brusselator", "dataset=cloud", "problem.geometry=ring"],
        "`problem.geometry` must be one of annulus, disk, l_shape, square, got 'ring'.",
    ),
    (
        ["problem=brusselator", "problem.geometry=disk", "problem.conditions=soft"],
        "`dataset.name` must be cloud or triangulation for problem.geometry=disk, got 'grid'.",
    ),
    (
        ["problem=brusselator", "problem.geometry=disk", "dataset=cloud"],
        "`problem.conditions` must be soft for problem.geometry=disk",
    ),
    (["dataset=cloud"], "`dataset.name` must be grid for a periodic system, got 'cloud'."),
    (
        ["dataset=triangulation", "problem.boundary=dirichlet"],
        "`dataset.name` must be cloud or grid in another number of dimensions than two",
    ),
    (["problem.geometry=square"], "must be null for a system in 1 dimension, got 'square'."),
    (
        ["dataset=clod"],
        "`dataset` must be one of cloud, family, grid, mesh, triangulation, got 'clod'",
    ),
    (
        ["dataset.name=net"],
        "`dataset.name` must be one of cloud, family, grid, mesh, triangulation, got 'net'",
    ),
    (
        ["dataset=cloud", "dataset.order=6"],
        "`dataset.order` must be one of 2, 4 for dataset.name=cloud, got 6.",
    ),
    (["dataset.order=5"], "must be one of 2, 4, 6 for dataset.name=grid, got 5."),
    (
        ["dataset.order=6", "dataset.nodes_per_side=4"],
        "`dataset.nodes_per_side` must be at least 7 for a grid of order 6 on this domain, got 4.",
    ),
    (
        [
            *("problem=brusselator", "problem.geometry=annulus", "problem.conditions=soft"),
            *("dataset=cloud", "dataset.nodes_per_side=3"),
        ],
        "`dataset.nodes_per_side` must be at least 5 for a cloud of order 2",
    ),
    (["+problem.parameters.geometry=1"], "`problem.geometry` is the key of the geometry"),
    (["network.hidden=[]"], "`network.hidden` must hold at least one width"),
    (["network.hidden=[8,0]"], "`network.hidden` must be a whole number >= 1, got 0."),
    (["network.activation=relu"], "must be one of gelu, silu, sine, tanh, got 'relu'"),
    (["seed=-1"], "`seed` must be a whole number in [0, 4294967295], got -1"),
    (["dtype=float16"], "must be one of float32, float64, got 'float16'"),
    (["device=tpu"], "torch can use (cpu"),
    (["device=cuda:99"], "`device` must be auto or a device that this machine has and torch can"),
    (["device=cpu:1"], "), got 'cpu:1'"),
    (["device=meta"], "), got 'meta'"),
    (["device='GPU 0'"], "`device` must be auto, cpu, or an accelerator such as cuda or cuda:1"),
    (["experiment.name=a/b"], "`experiment.name` must be usable as a folder's name, got 'a/b'"),
    (["-m", "training=default,adaptive_equal_int"], "`training` must be one of"),
    (
        ["-m", "training.resume=x"],
        "`training.resume` goes on with one run, it cannot be used with -m",
    ),
    (
        ["-m", "seed=0,1", "hydra.sweep.subdir=x"],
        "`hydra.sweep.subdir` must give each job a folder",
    ),
    (["hydra.run.dir="], "must be a name, got ''"),
    (["-m", "seed=0,1", "hydra.sweep.dir="], "must be a name, got ''"),
    (["training.resume="], "`training.resume` must be a checkpoint or the folder of a run"),
    (["--config-dir", "nowhere"], "`--config-dir` must be a folder, got 'nowhere'."),
    (["~seed"], "`seed` cannot be left out"),
    (["seed=null"], "`seed` must have a value, got null."),
    (["training.loss.adaptive.enabled=maybe"], "must be true or false, got 'maybe'"),
    (["network.hidden=8"], "`network.hidden` must be a list of whole numbers, such as [1,2], got"),
    (["dataset.family.domains={a: b}"], "domains` must be a list of strings, such as [a,b], got"),
    (["dataset.family.mean={}"], "`dataset.family.mean` must be a list of numbers, such as [1,2]"),
    (["problem.name=[a]"], "`problem.name` must be a string, got '[a]'."),
    (["seed={a: b}"], "`seed` must be a whole number, got \"{'a': 'b'}\"."),
    (["training.loss=3"], "`training.loss` must be a group of keys (w1_PI, w2_PI, use_rk4,"),
    (["network.hidden.7=8"], "`network.hidden.7` cannot be '8': list index out of range."),
    (["training.learning_rate=1e300"], "in [0, 1e+30], got 1e+300"),
    (
        ["training.loss.use_rk4=false", "training.loss.w1_PI=0", "training.loss.w2_PI=0"],
        "must be above 0, got none",
    ),
    (["+problem.parameters.boundary=1"], "`problem.boundary` is the key of the boundary"),
    (["+problem.parameters.amplitude=2"], "`amplitude` belongs to the Dirichlet front"),
    (["problem.scaling=none", "problem.scales=[2,3]"], "`problem.scaling` must be fields for"),
    (["--cfg", "job", "seed=abc"], "`seed` must be a whole number, got 'abc'."),
    (["compare"], "`compare` cannot be read: the following arguments are required: FOLDER"),
    (["compare", "a", "b"], "unrecognized arguments: b (pinn-ext compare -h shows how)."),
    (["compare", "nowhere"], "There is no folder nowhere."),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=lambda v: " ".join(v)[:40])
def test_refused(run, tmp_path, arguments, message):
    own = [] if arguments[0] == "compare" or arguments[0].startswith("problem=") else list(SMALL)
    done = run(*own, *arguments) if own or arguments[0] != "compare" else run(*arguments)
    assert done.status == 2
    assert done.err.startswith("pinn-ext: ") and done.err.count("\n") == 1
    assert message in done.err
    assert done.out == "" and list(tmp_path.iterdir()) == []


def test_unwritable_output_folder(run, tmp_path):
    (tmp_path / "file").write_text("")
    done = run(*SMALL, "hydra.run.dir=file/below")
    assert done.status == 2 and "cannot be made (Not a directory)" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_mpirun_is_refused(run, monkeypatch):
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    done = run(*SMALL)
    assert done.status == 2 and "mpirun" in done.err


def test_ranges_are_checked_without_torch():
    """A typo is answered before torch and DeepXDE are loaded."""
    import subprocess
    import sys

    code = (
        "import sys; from pinn_ext.cli import main; status = main(['training.epochs=0']);"
        "sys.exit(status if 'torch' not in sys.modules and 'deepxde' not in sys.modules else 99)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
