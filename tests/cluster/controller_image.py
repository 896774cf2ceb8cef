"""An image of a controller that Go builds here, under the name that its manifests ask for. For want of a registry."""

from __future__ import annotations

from container_tool import ContainerTool
from go_binaries import binaries, version_of
from node_image import program_image
from nodes import DATA_NODE, TRAINER_NODE, LoadedImage, load


def load_controller(tool: ContainerTool, program_name: str, local_name: str, image_name: str) -> None:
    """Have the nodes hold the program as `image_name`, without a tag, at its version; built once as `local_name`."""
    program = binaries((program_name,))[program_name]
    version = version_of(program_name)
    image = f"localhost/trainingrun/{local_name}:{version}-{program.parent.name.rpartition('-')[2]}"
    if not tool.has_image(image):
        program_image(tool, image, program, path="/manager", user="65532:65532")
    load(tool, {LoadedImage(image, f"{image_name}:{version}"): (DATA_NODE, TRAINER_NODE)})
