#pragma once

#include <string>
#include <vector>

#include "console.h"
#include "fovea/records/store.h"

namespace fovea::cli {

/// The runs that the commands of `fovea runs` know.
std::vector<records::StoredRun> known_runs();

/// A run as JSON: "name", "folder", "state", and the record.
Json to_json(const records::StoredRun& run);

/// "0.9312", "-" for none.
std::string number_text(const std::optional<double>& value);

}  // namespace fovea::cli
