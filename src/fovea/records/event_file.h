#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fovea/tasks/metric.h"

/// TensorBoard's event files: records of TFRecord, each a protobuf message Event, encoded here.
namespace fovea::records {

/// When an event happened: seconds since 1970, and the number of training steps done.
struct EventTime {
  double wall = 0;
  int64_t step = 0;
};

/// Each gives the bytes of one record, to be appended to a file. The first of a file is its
/// version.
std::string version_event(EventTime time);
/// Numbers by tag; TensorBoard groups tags by what precedes a slash.
std::string scalars_event(EventTime time, const tasks::Numbers& scalars);
/// A picture as the bytes of a PNG. Errors: usage when they are not those of a PNG.
std::string image_event(EventTime time, std::string_view tag, std::string_view png);
/// The distribution of some values in 30 buckets of one width; those that are not finite are left
/// out.
std::string histogram_event(EventTime time, std::string_view tag, std::span<const float> values);

/// A hyper-parameter, for the HPARAMS tab: a number, a flag or a text.
struct HyperParameter {
  std::string name;
  std::string text;  ///< read as a number or as true and false where it is one
};
/// Announces the hyper-parameters of the run and the tags of the metrics to compare runs by.
std::string hyper_parameters_event(EventTime time, const std::vector<HyperParameter>& parameters,
                                   const std::vector<std::string>& metric_tags);
/// That the run has begun, with its hyper-parameters, and that it is complete.
std::string run_started_event(EventTime time, const std::vector<HyperParameter>& parameters);
std::string run_complete_event(EventTime time);

/// One event of a file: the scalars in it, and where its record ends.
struct Event {
  EventTime time;
  tasks::Numbers scalars;
  uint64_t end = 0;
};

/// The events at the beginning of a file, up to the first record that is incomplete or damaged.
std::vector<Event> read_events(std::string_view file);

/// CRC-32C (Castagnoli).
uint32_t crc32c(std::string_view bytes);

}  // namespace fovea::records
