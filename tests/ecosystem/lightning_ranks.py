"""Two processes of Lightning's DDP strategy train the page's module on points of their own."""

import sys
import types
from pathlib import Path

import lightning
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
from conftest import source


def main(folder):
    torch.manual_seed(2)
    shown = types.SimpleNamespace()
    shown.__dict__["__name__"] = "shown"
    exec(source("lightning"), shown.__dict__)
    model, losses = shown.Pinn(), []
    model.on_train_batch_end = lambda outputs, batch, index: losses.append(outputs["loss"].item())
    trainer = lightning.Trainer(
        max_epochs=4,
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    trainer.fit(model, shown.batches())
    torch.save(
        {
            "weights": model.aggregator.manager.get_weights(),
            "updates": model.aggregator.manager.updates,
            "parameters": torch.cat([p.detach().flatten() for p in model.parameters()]),
            "losses": losses,
        },
        Path(folder, f"rank{trainer.global_rank}.pt"),
    )


if __name__ == "__main__":
    main(sys.argv[1])
