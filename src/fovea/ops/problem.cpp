#include "fovea/ops/problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <string>
#include <utility>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/ops/conv.h"

namespace fovea {
namespace {

constexpr int64_t largest = 1'000'000;

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool in_one_word(std::string_view problem) { return problem.find(':') < problem.find(' '); }

std::string_view example(std::string_view problem) {
  return in_one_word(problem) ? "conv:mb64ic64ih32oc64kh3ph1"
                              : "\"max_pool kernel=2 stride=2 padding=0 f32[64, 64, 32, 32]\"";
}

Error bad(std::string_view problem, const std::string& what) {
  return Error(ErrorKind::usage, fmt::format("problem \"{}\": {}", problem, what))
      .with("expected", fmt::format("a problem such as {}", example(problem)));
}

const std::vector<std::string>& size_names() {
  static const std::vector<std::string> names{"mb", "g",  "ic", "ih", "iw", "oc", "oh", "ow",
                                              "kh", "kw", "sh", "sw", "ph", "pw", "dh", "dw"};
  return names;
}

/// The sizes given in `body`, by name.
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
      throw bad(problem, fmt::format("\"{}\" is not a name and a number up to {}", part, largest));
    }
    if (std::find(size_names().begin(), size_names().end(), name) == size_names().end()) {
      throw bad(problem, fmt::format("there is no size \"{}\"", name))
          .with("sizes", join(size_names()));
    }
    if (value == 0 && name[0] != 'p')
      throw bad(problem, fmt::format("\"{}\" is 0, must be at least 1", name));
    if (!sizes.emplace(name, value).second)
      throw bad(problem, fmt::format("\"{}\" is given twice", name));
  }
  return sizes;
}

/// A problem's sizes with their defaults.
class Sizes {
 public:
  Sizes(std::string_view problem, std::string_view body)
      : problem_(problem), given_(read_sizes(problem, body)) {
    for (const char* name : {"ic", "oc", "ih", "kh"}) {
      if (!given_.contains(name)) throw bad(problem, fmt::format("\"{}\" is missing", name));
    }
  }

  int64_t get(const std::string& name, int64_t otherwise = 1) const {
    const auto found = given_.find(name);
    return found == given_.end() ? otherwise : found->second;
  }
  /// One value for rows and one for columns: "s" gives sh and sw.
  std::vector<int64_t> both(const std::string& name, int64_t otherwise = 1) const {
    const int64_t rows = get(name + "h", otherwise);
    return {rows, get(name + "w", rows)};
  }
  /// If the text gives the output's size, it must be the computed one.
  void check_output(const Shape& output) const {
    for (const auto& [name, axis] : {std::pair("oh", 2), std::pair("ow", 3)}) {
      if (get(name, output[axis]) == output[axis]) continue;
      throw bad(problem_,
                fmt::format("{} is {}, but these sizes give {}", name, get(name), output[axis]));
    }
  }

 private:
  std::string_view problem_;
  std::map<std::string, int64_t> given_;
};

/// The suffix after the sizes: empty, meaning f32, or a colon and a float type.
DType read_dtype(std::string_view problem, std::string_view suffix) {
  if (suffix.empty()) return DType::f32;
  for (DType dtype : {DType::f32, DType::bf16, DType::f64}) {
    if (suffix.substr(1) == name(dtype)) return dtype;
  }
  throw bad(problem, fmt::format("\"{}\" is not a convolution's type", suffix.substr(1)))
      .with("types", "f32, bf16, f64");
}

const Conv& conv_of(const OpCall& forward) {
  const Conv* conv = forward.op.as<Conv>();
  if (conv == nullptr) {
    throw Error(ErrorKind::usage, fmt::format("{} is not a convolution", forward.op.name()));
  }
  return *conv;
}

OpCall call(Op op, Types in) {
  Types out = op.infer(in);
  return {std::move(op), std::move(in), std::move(out)};
}

/// The convolution that a one-word problem describes.
OpCall read_convolution(std::string_view text) {
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
    throw bad(text, fmt::format("g is {}, which does not divide ic, {}", groups, sizes.get("ic")));
  }
  const Type x{dtype, {sizes.get("mb"), sizes.get("ic"), image[0], image[1]}};
  const Type weight{dtype, {sizes.get("oc"), sizes.get("ic") / groups, kernel[0], kernel[1]}};
  OpCall forward = call(conv, {x, weight});
  sizes.check_output(forward.out[0].shape);
  return forward;
}

// ---- problems of any op

/// The words of a text: spaces inside brackets do not separate words.
std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  size_t begin = 0;
  int depth = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] == '[') ++depth;
    if (i < text.size() && text[i] == ']') --depth;
    if (i < text.size() && (text[i] != ' ' || depth > 0)) continue;
    if (i > begin) words.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  return words;
}

bool is_type(std::string_view word) {
  return word.find('[') < word.find('=');  // else a field, or its value
}

template <class E>
E read_name(std::string_view problem, std::string_view what, std::string_view text) {
  const std::span<const std::string_view> names = enum_names(E{});
  const auto found = std::ranges::find(names, text);
  if (found == names.end()) {
    throw bad(problem, fmt::format("there is no {} \"{}\"", what, printable(text)))
        .with("known", join(std::vector<std::string>(names.begin(), names.end())));
  }
  return static_cast<E>(found - names.begin());
}

/// "f32[8, 3, 32, 32]", or with a layout, "f32[8, 16, 32, 32]{blocked16}".
Type read_type(std::string_view problem, std::string_view word) {
  const size_t open = word.find('['), close = word.find(']');
  const auto fail = [&] {
    return bad(problem,
               fmt::format("\"{}\" is not a type such as f32[8, 3, 32, 32]", printable(word)));
  };
  if (open == std::string_view::npos || close == std::string_view::npos || close < open)
    throw fail();
  Type type{read_name<DType>(problem, "element type", word.substr(0, open)), {}};
  std::vector<int64_t> dims;
  for (std::string_view rest = word.substr(open + 1, close - open - 1); !rest.empty();) {
    const size_t end = std::min(rest.find(','), rest.size());
    const std::string_view part = rest.substr(rest[0] == ' ' ? 1 : 0, end - (rest[0] == ' '));
    int64_t value = -1;
    const auto [stop, code] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (code != std::errc() || stop != part.data() + part.size() || value < 0 ||
        dims.size() == static_cast<size_t>(Shape::max_rank))
      throw fail();
    dims.push_back(value);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  type.shape = Shape(dims);
  const std::string_view layout = word.substr(close + 1);
  if (layout.empty()) return type;
  if (layout.size() < 2 || layout.front() != '{' || layout.back() != '}') throw fail();
  type.layout = read_name<Layout>(problem, "layout", layout.substr(1, layout.size() - 2));
  if (!fits(type, type.layout))
    throw bad(problem, fmt::format("\"{}\" cannot have that layout", printable(word)));
  return type;
}

/// The types inferred for an op read from text. Errors: usage also for what only passes get wrong.
Types inferred(std::string_view problem, const Op& op, const Types& in) {
  try {
    return op.infer(in);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::internal) throw;
    throw bad(problem, std::string(op.name()) + " does not take these types and fields");
  }
}

void set_output_layouts(std::string_view problem, Types& out, const Types& given) {
  const auto same = [](const Type& a, const Type& b) {
    return a.dtype == b.dtype && a.shape == b.shape;
  };
  if (!std::ranges::equal(out, given, same)) {
    const auto list = [](const Types& types) {
      std::vector<std::string> texts;
      for (const Type& type : types) texts.push_back(to_string(type));
      return join(texts);
    };
    throw bad(problem, "the outputs differ").with("given", list(given)).with("inferred", list(out));
  }
  out = given;
}

OpCall read_call(std::string_view text, std::span<const Op> ops) {
  const std::vector<std::string_view> words = words_of(text);
  const std::string_view name = words.empty() ? text : words[0];
  const auto op = std::ranges::find_if(ops, [&](const Op& known) { return known.name() == name; });
  if (op == ops.end()) {
    std::vector<std::string> names;
    for (const Op& known : ops) names.emplace_back(known.name());
    throw unknown_name("op", name, names);
  }
  std::string fields;
  Types in, given;
  bool outputs = false;
  for (std::string_view word : std::span(words).subspan(1)) {
    if (word == "->" && !outputs) {
      outputs = true;
    } else if (is_type(word) || outputs) {
      (outputs ? given : in)
          .push_back(read_type(text, word.ends_with(',') ? word.substr(0, word.size() - 1) : word));
    } else {
      fields += (fields.empty() ? "" : " ") + std::string(word);
    }
  }
  if (in.empty()) throw bad(text, "it has no input types");
  const int axes = std::max(in[0].rank() - 2, 0);
  const Op read = op->with(read_fields(name, op->fields(), fields, axes));
  Types out = inferred(text, read, in);
  if (outputs) set_output_layouts(text, out, given);
  return {read, in, out};
}

}  // namespace

std::string problem_text(const Op& op, const Types& in, const Types& out) {
  std::string text{op.name()};
  if (const std::string fields = op.attributes(); !fields.empty()) text += " " + fields;
  std::string separator = " ";
  for (const Type& type : in) text += std::exchange(separator, ", ") + to_string(type);
  separator = " -> ";
  for (const Type& type : out) text += std::exchange(separator, ", ") + to_string(type);
  return text;
}

OpCall parse_problem(std::string_view text, std::span<const Op> ops) {
  return in_one_word(text) ? read_convolution(text) : read_call(text, ops);
}

OpCall backward_data(const OpCall& forward) {
  const Conv& conv = conv_of(forward);  // before its inputs are accessed
  return call(ConvBackwardData{.geometry = conv.geometry, .input = forward.in[0].shape},
              {forward.in[1], forward.out[0]});
}

OpCall backward_weights(const OpCall& forward) {
  const Conv& conv = conv_of(forward);
  return call(ConvBackwardWeights{.geometry = conv.geometry, .weight = forward.in[1].shape},
              {forward.in[0], forward.out[0]});
}

}  // namespace fovea
