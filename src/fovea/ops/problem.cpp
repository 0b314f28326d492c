#include "fovea/ops/problem.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <string>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/ops/conv.h"

namespace fovea {
namespace {

constexpr int64_t largest = 1'000'000;

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

Error bad(std::string_view problem, const std::string& what) {
  return Error(ErrorKind::usage, "problem \"" + std::string(problem) + "\": " + what)
      .with("expected", "a problem such as conv:mb64ic64ih32oc64kh3ph1");
}

const std::vector<std::string>& size_names() {
  static const std::vector<std::string> names{"mb", "g",  "ic", "ih", "iw", "oc", "oh", "ow",
                                              "kh", "kw", "sh", "sw", "ph", "pw", "dh", "dw"};
  return names;
}

/// The sizes as they stand in `body`, by name.
std::map<std::string, int64_t> read_sizes(std::string_view problem, std::string_view body) {
  std::map<std::string, int64_t> sizes;
  for (size_t at = 0; at < body.size();) {
    const size_t begin = at;
    while (at < body.size() && is_letter(body[at])) ++at;
    const std::string name(body.substr(begin, at - begin));
    const size_t digits = at;
    while (at < body.size() && is_digit(body[at])) ++at;
    const std::string part(body.substr(begin, std::max<size_t>(at - begin, 1)));
    int64_t value = -1;
    std::from_chars(body.data() + digits, body.data() + at, value);
    if (name.empty() || digits == at || value > largest || value < 0) {
      throw bad(problem,
                "\"" + part + "\" is not a name and a number up to " + std::to_string(largest));
    }
    if (std::find(size_names().begin(), size_names().end(), name) == size_names().end()) {
      throw bad(problem, "there is no size \"" + name + "\"").with("sizes", join(size_names()));
    }
    if (value == 0 && name[0] != 'p')
      throw bad(problem, "\"" + name + "\" is 0, at least 1 is needed");
    if (!sizes.emplace(name, value).second) throw bad(problem, "\"" + name + "\" comes twice");
  }
  return sizes;
}

/// A problem's sizes with their defaults.
class Sizes {
 public:
  Sizes(std::string_view problem, std::string_view body)
      : problem_(problem), given_(read_sizes(problem, body)) {
    for (const char* name : {"ic", "oc", "ih", "kh"}) {
      if (!given_.contains(name)) throw bad(problem, "\"" + std::string(name) + "\" is missing");
    }
  }

  int64_t get(const std::string& name, int64_t otherwise = 1) const {
    const auto found = given_.find(name);
    return found == given_.end() ? otherwise : found->second;
  }
  /// One value for the rows, one for the columns: "s" gives sh and sw.
  std::vector<int64_t> both(const std::string& name, int64_t otherwise = 1) const {
    const int64_t rows = get(name + "h", otherwise);
    return {rows, get(name + "w", rows)};
  }
  /// Where the string says the output's size, it has to be what comes out.
  void check_output(const Shape& output) const {
    for (const auto& [name, axis] : {std::pair("oh", 2), std::pair("ow", 3)}) {
      if (get(name, output[axis]) == output[axis]) continue;
      throw bad(problem_, std::string(name) + " is " + std::to_string(get(name)) +
                              ", these sizes give " + std::to_string(output[axis]));
    }
  }

 private:
  std::string_view problem_;
  std::map<std::string, int64_t> given_;
};

/// What stands behind the sizes: nothing, which is f32, or a colon and a float type.
DType read_dtype(std::string_view problem, std::string_view suffix) {
  if (suffix.empty()) return DType::f32;
  for (DType dtype : {DType::f32, DType::bf16, DType::f64}) {
    if (suffix.substr(1) == name(dtype)) return dtype;
  }
  throw bad(problem, "\"" + std::string(suffix.substr(1)) + "\" is no type of a convolution")
      .with("types", "f32, bf16, f64");
}

const Conv& conv_of(const OpCall& forward) {
  const Conv* conv = forward.op.as<Conv>();
  if (conv == nullptr) {
    throw Error(ErrorKind::usage, std::string(forward.op.name()) + " is no convolution");
  }
  return *conv;
}

OpCall call(Op op, Types in) {
  Types out = op.infer(in);
  return {std::move(op), std::move(in), std::move(out)};
}

}  // namespace

OpCall parse_problem(std::string_view text) {
  constexpr std::string_view prefix = "conv:";
  if (!text.starts_with(prefix)) throw bad(text, "it does not begin with \"conv:\"");
  const std::string_view body = text.substr(prefix.size());
  const size_t end = std::min(body.find(':'), body.size());
  const Sizes sizes(text, body.substr(0, end));
  const DType dtype = read_dtype(text, body.substr(end));
  const int64_t groups = sizes.get("g");
  const std::vector<int64_t> image = sizes.both("i"), kernel = sizes.both("k");
  Conv conv;
  conv.geometry = {.stride = sizes.both("s"),
                   .dilation = sizes.both("d"),
                   .padding_begin = sizes.both("p", 0),
                   .padding_end = sizes.both("p", 0),
                   .groups = groups};
  conv.kernel = Shape(kernel);
  if (groups < 1 || sizes.get("ic") % groups != 0) {
    throw bad(text, "g is " + std::to_string(groups) + ", which does not divide ic, " +
                        std::to_string(sizes.get("ic")));
  }
  const Type x{dtype, {sizes.get("mb"), sizes.get("ic"), image[0], image[1]}};
  const Type weight{dtype, {sizes.get("oc"), sizes.get("ic") / groups, kernel[0], kernel[1]}};
  OpCall forward = call(conv, {x, weight});
  sizes.check_output(forward.out[0].shape);
  return forward;
}

OpCall backward_data(const OpCall& forward) {
  return call(ConvBackwardData{.geometry = conv_of(forward).geometry, .input = forward.in[0].shape},
              {forward.in[1], forward.out[0]});
}

OpCall backward_weights(const OpCall& forward) {
  return call(
      ConvBackwardWeights{.geometry = conv_of(forward).geometry, .weight = forward.in[1].shape},
      {forward.in[0], forward.out[0]});
}

}  // namespace fovea
