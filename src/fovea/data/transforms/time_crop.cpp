#include <memory>

#include "fovea/data/transforms/builtin.h"

namespace fovea::data {
namespace {

class TimeCrop : public Transform {
 public:
  std::string text() const override { return "time-crop"; }
  std::optional<double> stretch(Random& random) const override { return random.uniform(); }
  void operator()(Sample&, TransformContext&) const override {}  // reading has done it
};

}  // namespace

TransformEntry time_crop_entry() {
  return {.choice = {.name = "time-crop",
                     .help = "a random stretch of a sound, series or clip that is longer than the "
                             "net's input, instead of its middle"},
          .example = "time-crop",
          .make = [](const Arguments&) -> AnyTransform { return std::make_shared<TimeCrop>(); },
          .numbers = true};
}

}  // namespace fovea::data
