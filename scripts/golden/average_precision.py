#!/usr/bin/env python3
"""Writes tests/golden/average_precision.safetensors: boxes, what was found of them, and pycocotools' precisions.

Of each case: `found` f32[N,D,6] (x1, y1, x2, y2, score, class; class -1: absent), `boxes` f32[N,M,5] (see is_boxes in
data/sample.h), `areas` f64[N,M], and `expected` f64[6 + classes]: AP, AP50, AP75, small, medium, large, and AP of each
class; -1 without boxes.
"""
import contextlib
import importlib.metadata
import io

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import golden


def precisions(found, boxes, areas, classes):
    images = [{"id": i + 1} for i in range(len(boxes))]
    categories = [{"id": k + 1, "name": str(k)} for k in range(classes)]
    annotations, results = [], []
    for i, (rows, row_areas) in enumerate(zip(boxes.astype(np.float64), areas)):
        for (x1, y1, x2, y2, c), area in zip(rows, row_areas):
            if c != 0:
                annotations.append({"id": len(annotations) + 1, "image_id": i + 1, "category_id": int(abs(c)), "bbox": [x1, y1, x2 - x1, y2 - y1], "area": area, "iscrowd": int(c < 0)})
    for i, rows in enumerate(found.astype(np.float64)):
        for x1, y1, x2, y2, score, k in rows:
            if k >= 0:
                results.append({"image_id": i + 1, "category_id": int(k) + 1, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score})
    truth = COCO()
    truth.dataset = {"info": {}, "images": images, "categories": categories, "annotations": annotations}
    truth.createIndex()
    evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    of_class = [np.mean(p) if (p := evaluation.eval["precision"][:, :, k, 0, -1]).max() > -1 else -1.0 for k in range(classes)]
    return np.array(list(evaluation.stats[:6]) + of_class)


def case(name, images, classes, most_boxes, most_found, side, crowds, levels):
    """Boxes at random, and found ones: some near a box, some anywhere, with one of `levels` scores each."""
    random = np.random.default_rng(golden.fnv(name))
    boxes = np.zeros((images, most_boxes, 5), np.float32)
    found = np.full((images, most_found, 6), -1, np.float32)
    for i in range(images):
        count = random.integers(0, most_boxes + 1)
        for m in range(count):
            size = np.exp(random.uniform(np.log(4), np.log(side * 0.7), 2))
            corner = random.uniform(0, side - size)
            label = random.integers(0, classes) + 1
            boxes[i, m] = [*corner, *(corner + size), -label if random.random() < crowds else label]
        for d in range(random.integers(0, most_found + 1)):
            if count > 0 and random.random() < 0.7:
                near = boxes[i, random.integers(0, count)]
                size = near[2:4] - near[:2]
                corners = near[:4] + np.tile(size, 2) * random.normal(0, 0.08, 4)
                label = abs(near[4]) - 1 if random.random() < 0.85 else random.integers(0, classes)
            else:
                size = random.uniform(3, side * 0.5, 2)
                corner = random.uniform(0, side - size)
                corners, label = [*corner, *(corner + size)], random.integers(0, classes)
            found[i, d] = [*corners, random.integers(1, levels + 1) / levels, label]
    sides = boxes[..., 2:4].astype(np.float64) - boxes[..., :2]
    areas = sides.prod(-1) * random.uniform(0.5, 1, sides.shape[:2])
    with contextlib.redirect_stdout(io.StringIO()):
        expected = precisions(found, boxes, areas, classes)
    return {f"{name}/found": found, f"{name}/boxes": boxes, f"{name}/areas": areas, f"{name}/expected": expected}


tensors = {}
for arguments in [
    dict(name="many", images=20, classes=5, most_boxes=12, most_found=30, side=300, crowds=0.15, levels=1000),
    dict(name="ties", images=12, classes=3, most_boxes=8, most_found=30, side=200, crowds=0.1, levels=4),
    dict(name="crowded", images=3, classes=1, most_boxes=10, most_found=220, side=120, crowds=0.3, levels=50),
    dict(name="rare", images=6, classes=40, most_boxes=3, most_found=6, side=150, crowds=0, levels=1000),
    dict(name="small", images=10, classes=2, most_boxes=6, most_found=12, side=30, crowds=0, levels=1000),
]:
    tensors |= case(**arguments)
golden.write("average_precision", tensors, made_by="scripts/golden/average_precision.py", pycocotools=importlib.metadata.version("pycocotools"))
