#pragma once

#include <string>
#include <vector>

#include "console.h"
#include "fovea/draw/chart.h"
#include "fovea/explain/check.h"

namespace fovea::cli {

/// What --check measured: one row per method, and one for random maps.
class CheckTables {
 public:
  explicit CheckTables(explain::Explainer& explainer) : explainer_(explainer) {}

  /// Measures the maps of a method for some images.
  void add(const std::string& text, const Chosen<explain::Method>& method,
           const explain::Request& request, const explain::Explanation& explanation);
  /// The same for random maps of that size.
  void add_control(const explain::Request& request, const explain::Explanation& like);

  /// Adds the curves to `images[].maps[]`, in the order in which they were measured, and the means
  /// under "check".
  void describe(Json& document) const;
  std::string text() const;
  /// Mean curves, and the similarity of maps while weights are randomised.
  draw::Chart chart() const;

 private:
  struct Row {
    std::string method;
    std::vector<explain::Faithfulness> samples = {};
    std::vector<explain::Randomization> randomized = {};  ///< one per group of images
    std::vector<size_t> sizes = {};                       ///< of the groups

    /// The means over all samples.
    double mean(double (*value)(const explain::Faithfulness&)) const;
    explain::Curve curve(const explain::Curve& (*of)(const explain::Faithfulness&)) const;
    explain::Randomization randomization() const;
  };
  Row& row(const std::string& method);
  std::vector<const Row*> all() const;

  explain::Explainer& explainer_;
  std::vector<Row> rows_;
  Row control_{.method = "random map"};
};

}  // namespace fovea::cli
