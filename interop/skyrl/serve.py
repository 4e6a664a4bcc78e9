"""Starts SkyRL's Tinker server with its JAX backend on the CPU: serve.py --base-model DIR --port N --root DIR [...]

The server is the installed package's, unchanged, but for two things. It starts its engine with `uv run`; here it is
started with this interpreter. And two modules of the JAX backend import PyTorch and PEFT by name for what this backend
does not do (images through vLLM) or does in one line (PEFT's adapter_config.json); where they are not installed, a
stand-in of the same shape is used, so that a continuous-integration machine need not install CUDA.

Its engine looks for passes, then for everything else that waits, and runs what it found in this order. --pause makes it
wait between the two, which is what a busy machine does: a step can then be found, and run, before the pass that came
ahead of it.
"""

import argparse
import importlib.machinery
import importlib.util
import json
import os
import sys
import time
import types
import typing
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

ENGINE = "run-engine"
PAUSE = "BREAKWATER_SERVE_PAUSE"


def stand_in() -> None:
    """`torch` and `peft` by name, where they are not installed; the TypedDict that pydantic wants on Python 3.11."""
    if sys.version_info < (3, 12):
        import typing_extensions

        typing.TypedDict = typing_extensions.TypedDict
    if importlib.util.find_spec("torch") is None:
        torch = types.ModuleType("torch")
        torch.Tensor = type("Tensor", (), {})
        torch.__spec__ = importlib.machinery.ModuleSpec("torch", None)
        sys.modules["torch"] = torch
    if importlib.util.find_spec("peft") is None:
        peft = types.ModuleType("peft")

        class LoraConfig:
            def __init__(self, **config: object) -> None:
                self.config = config

            def save_pretrained(self, folder: os.PathLike) -> None:
                config = {"peft_type": "LORA", "task_type": None, "target_modules": None, **self.config}
                (Path(folder) / "adapter_config.json").write_text(json.dumps(config, indent=2))

        peft.LoraConfig = LoraConfig
        sys.modules["peft"] = peft


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--base-model", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--root", required=True, help="folder of the database and the checkpoints")
    parser.add_argument("--backend-config", default="{}", help="JSON, see skyrl.backends.jax.JaxBackendConfig")
    parser.add_argument("--session-timeout", type=int, default=300)
    parser.add_argument("--pause", type=float, default=0, help="seconds between the engine's looks")
    args = parser.parse_args()
    os.environ[PAUSE] = str(args.pause)

    import uvicorn
    from skyrl.tinker import api
    from skyrl.tinker.config import EngineConfig, config_to_argv

    def command(_parent: list[str], config: EngineConfig) -> list[str]:
        return [sys.executable, __file__, ENGINE, *config_to_argv(config)]

    api._build_uv_run_cmd_engine = command
    root = Path(args.root)
    root.mkdir(parents=True, exist_ok=True)
    api.app.state.engine_config = EngineConfig(
        base_model=args.base_model,
        backend="jax",
        backend_config=json.loads(args.backend_config),
        checkpoints_base=root / "checkpoints",
        database_url=f"sqlite:///{root / 'tinker.db'}",
        session_cleanup_interval_sec=2 if args.session_timeout < 60 else 60,
        session_timeout_sec=args.session_timeout,
    )
    uvicorn.run(api.app, host="127.0.0.1", port=args.port, log_level="warning")


def run_engine() -> None:
    from skyrl.tinker import engine

    pause = float(os.environ.get(PAUSE, "0"))
    find = engine.TinkerEngine.find_single_requests

    def find_later(self: engine.TinkerEngine, session: object) -> dict:
        time.sleep(pause)
        return find(self, session)

    if pause > 0:
        engine.TinkerEngine.find_single_requests = find_later
    del sys.argv[1]
    engine.main()


if __name__ == "__main__":
    stand_in()
    run_engine() if sys.argv[1:2] == [ENGINE] else main()
