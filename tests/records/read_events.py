"""Reads a run's event file with TensorBoard's own code: read_events.py RUN. Fails unless all is there."""
import io
import sys

from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.hparams import plugin_data_pb2

events = event_accumulator.EventAccumulator(
    sys.argv[1],
    size_guidance={"scalars": 0, "histograms": 0, "compressedHistograms": 0, "images": 0, "tensors": 0})
events.Reload()
tags = events.Tags()
for tag in ("batch/loss", "train/loss", "val/accuracy", "test/accuracy", "epoch"):
    assert tag in tags["scalars"], (tag, tags)
assert [e.value for e in events.Scalars("epoch")] == [1, 2]
assert all(e.value > 0 for e in events.Scalars("train/loss"))
images = events.Images("batches/fed")
assert len(images) == 3 and images[0].encoded_image_string.startswith(b"\x89PNG")
assert images[0].width > 16 and images[0].height > 16
weights = [t for t in tags["histograms"] if t.startswith("weights/")]
assert weights and any(t.startswith("gradients/") for t in tags["histograms"]), tags
histogram = events.Histograms(weights[0])[-1].histogram_value
assert histogram.num == sum(histogram.bucket) > 0 and histogram.min <= histogram.bucket_limit[0]
metadata = events.summary_metadata
plugin = plugin_data_pb2.HParamsPluginData
start = plugin.FromString(metadata["_hparams_/session_start_info"].plugin_data.content)
assert abs(start.session_start_info.hparams["lr"].number_value - 0.02) < 1e-9, start
assert start.session_start_info.hparams["augment"].string_value == "crop:1"
experiment = plugin.FromString(metadata["_hparams_/experiment"].plugin_data.content).experiment
assert {i.name.tag for i in experiment.metric_infos} == {"val/accuracy", "test/accuracy"}
end = plugin.FromString(metadata["_hparams_/session_end_info"].plugin_data.content)
assert end.session_end_info.status == 1, end
