#include "fovea/data/transforms/image_transform.h"

#include <fmt/format.h>

#include "fovea/core/error.h"
#include "fovea/core/text.h"

namespace fovea::data {
namespace {

class FunctionTransform : public Transform {
 public:
  FunctionTransform(std::string text, MoveFunction change,
                    void (*require)(std::string_view, const Type&))
      : text_(std::move(text)), change_(std::move(change)), require_(require) {}

  std::string text() const override { return text_; }
  Type output(const Type& input) const override {
    require_(text_, input);
    return input;
  }
  void operator()(Sample& sample, TransformContext& context) const override {
    change_(sample, context.random);
  }

 private:
  std::string text_;
  MoveFunction change_;
  void (*require_)(std::string_view, const Type&);
};

TransformEntry function_entry(Choice choice, std::string example,
                              std::function<MoveFunction(const Arguments&)> make,
                              void (*require)(std::string_view, const Type&)) {
  return {.choice = choice,
          .example = std::move(example),
          .make = [choice, make = std::move(make), require](const Arguments& a) -> AnyTransform {
            return std::make_shared<FunctionTransform>(to_text(choice, a), make(a), require);
          }};
}

}  // namespace

TransformEntry image_entry(Choice choice, std::string example,
                           std::function<ImageFunction(const Arguments&)> make,
                           void (*require)(std::string_view, const Type&)) {
  const auto make_move = [make = std::move(make)](const Arguments& a) -> MoveFunction {
    return [change = make(a)](Sample& sample, Random& random) { change(sample.input, random); };
  };
  return function_entry(std::move(choice), std::move(example), make_move, require);
}

TransformEntry move_entry(Choice choice, std::string example,
                          std::function<MoveFunction(const Arguments&)> make,
                          void (*require)(std::string_view, const Type&)) {
  return function_entry(std::move(choice), std::move(example), std::move(make), require);
}

Argument probability_argument(double default_value) {
  return {.name = "p", .default_value = default_value, .maximum = 1, .help = "probability"};
}

Argument interpolation_argument(Filter default_value) {
  return {.name = "interpolation",
          .type = ArgumentType::word,
          .default_value = std::string(name(default_value)),
          .words = {"nearest", "bilinear"},
          .help = "what a pixel between others becomes"};
}

Argument bars_argument() {
  return {.name = "value",
          .type = ArgumentType::integer,
          .default_value = int64_t{letterbox_gray},
          .maximum = 255,
          .help = "of the pixels beside the image, 0 black to 255 white"};
}

Filter interpolation_of(const Arguments& arguments) {
  return *filter_named(arguments.word("interpolation"));
}

double uniform(Random& random, double low, double high) {
  return low + (high - low) * random.uniform();
}

int64_t integer(Random& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random.below(static_cast<uint64_t>(high - low + 1)));
}

Range range_of(const Choice& choice, const Arguments& arguments, const std::string& name) {
  const Range range{arguments.number("min_" + name), arguments.number("max_" + name)};
  if (range.low <= range.high) return range;
  throw Error(ErrorKind::usage,
              fmt::format("transform {}: min_{} is {}, above max_{}, {}", choice.name, name,
                          format_number(range.low), name, format_number(range.high)));
}

}  // namespace fovea::data
