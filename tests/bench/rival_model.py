"""A model for the rival: the champion's own trees, on 64 inputs."""

from pathlib import Path

import onnx

INPUTS = 64


def same_trees(model: Path, out: Path) -> Path:
    """Write a graph with the champion's trees, each looking at an input of 64; return its path.

    Args:
        model: folder of the champion.
        out: file to write.
    """
    graph = onnx.load(str(model / "model.onnx"))
    for node in graph.graph.node:
        for attribute in node.attribute:
            if attribute.name == "nodes_featureids":
                narrowed = [number % INPUTS for number in attribute.ints]
                del attribute.ints[:]
                attribute.ints.extend(narrowed)
    for given in graph.graph.input:
        given.type.tensor_type.shape.dim[1].dim_value = INPUTS
    onnx.save(graph, str(out))
    return out
