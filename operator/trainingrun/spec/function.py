"""A Python function as a recipe names it: where it is found, and what it is called with.

It must not know what any function is for: recipe.py and transforms.py do.
"""

from __future__ import annotations

from pydantic import Field

from trainingrun.spec.model import FunctionReference, Model, Parameters


class Function(Model):
    """A Python function or class that the training image can import, and the arguments to call it with."""

    function: FunctionReference = Field(description="What to call, written `module:function`, at most 253 characters.")
    parameters: Parameters = Field(
        default={}, description="Keyword arguments for the call: at most 64, any JSON values."
    )
