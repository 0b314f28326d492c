#!/usr/bin/env python3
"""Prints the values that tests/tasks/multilabel_test.cpp compares with, by scikit-learn."""

import numpy as np
import sklearn
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score

scores = np.array([[((7 * i + 3 * k) % 5 - 2) / 2 for k in range(4)] for i in range(12)])
targets = np.array([[int(k != 2 and (i * i + 2 * k * i + k) % 3 == 0) for k in range(4)] for i in range(12)])
predicted = (scores > 0).astype(int)
each = dict(average=None, zero_division=0)

print("scikit-learn", sklearn.__version__)
print("mAP", repr(float(average_precision_score(targets, scores))))
print("f1_micro", repr(float(f1_score(targets, predicted, average="micro"))))
print("f1_macro", repr(float(f1_score(targets, predicted, average="macro", zero_division=0))))
print("ap", [float(average_precision_score(targets[:, k], scores[:, k])) for k in range(4)])
print("precision", precision_score(targets, predicted, **each).tolist())
print("recall", recall_score(targets, predicted, **each).tolist())
print("f1", f1_score(targets, predicted, **each).tolist())
