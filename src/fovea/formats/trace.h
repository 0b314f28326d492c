#pragma once

#include <string>

#include "fovea/core/timeline.h"

namespace fovea {

/// A timeline as JSON in Chrome's trace event format, which chrome://tracing and Perfetto open: a
/// complete event ("X") for each Span, in microseconds, with what a kernel computed as its
/// arguments; the names of threads as metadata.
std::string trace_text(const Timeline& timeline);

}  // namespace fovea
