#include <algorithm>
#include <cmath>

#include "fovea/data/moves.h"
#include "fovea/data/transforms/builtin.h"
#include "fovea/data/transforms/image_transform.h"

namespace fovea::data {
namespace {

class Letterbox : public Transform {
 public:
  Letterbox(std::string text, uint8_t value) : text_(std::move(text)), value_(value) {}

  std::string text() const override { return text_; }
  Type output(const Type& input) const override {
    require_colors(text_, input);
    return input;
  }
  bool frames() const override { return true; }
  void operator()(Sample& sample, TransformContext& context) const override {
    letterbox(sample, static_cast<int>(context.height), static_cast<int>(context.width), value_);
  }
  MinimumSize minimum_size(const MinimumSize& wanted) const override { return wanted; }
  void prepare_likewise(Preprocessing& preprocessing) const override {
    preprocessing.resize.reset();
    preprocessing.letterbox = value_;
  }

 private:
  std::string text_;
  uint8_t value_;
};

}  // namespace

TransformEntry letterbox_entry() {
  const Choice choice{.name = "letterbox",
                      .arguments = {bars_argument()},
                      .help = "scales the image to fit into the net's input, with bars beside it"};
  return {.choice = choice, .example = "letterbox", .make = [choice](const Arguments& a) {
            return AnyTransform(std::make_shared<Letterbox>(
                to_text(choice, a), static_cast<uint8_t>(a.integer("value"))));
          }};
}

}  // namespace fovea::data
