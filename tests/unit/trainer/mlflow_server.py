"""MLflow's own tracking server in a process of its own: `python mlflow_server.py FOLDER` prints its port."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(folder: Path) -> None:
    """Serve runs that are kept in `folder`, until this process is ended."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["_MLFLOW_SERVER_FILE_STORE"] = f"sqlite:///{folder}/runs.db"
    os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = str(folder / "artifacts")
    from mlflow.server import app
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(server.port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
