#include "fovea/models/net_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include <toml++/toml.h>

#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/models/families.h"
#include "fovea/models/layer_kinds.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

constexpr size_t max_bytes = size_t{1} << 20, max_layers = 5000, max_operations = 10000;
constexpr int max_depth = 16;

Error bad(const std::string& what) { return {ErrorKind::model, what}; }

/// The state of parsing a text.
struct Reading {
  const std::string& file;
  const Config& config;
  Where line = {};  ///< what is being read
  size_t layers = 0;
  int depth = 0;

  std::set<std::string> outputs = {};  ///< of layers, by name

  Where where(const toml::node& node) const { return {file, node.source().begin.line}; }
  void add_output(const std::string& name, const Shape& shape);
};

/// Errors: model for a name that is taken; usage for an auxiliary head of another size than the
/// net's output, whose loss is the task's.
void Reading::add_output(const std::string& name, const Shape& shape) {
  constexpr std::string_view own[] = {"out", "output", "loss", "weighted_loss"};
  if (std::ranges::count(own, name) > 0 || !outputs.insert(name).second)
    throw bad(fmt::format("the output name \"{}\" is taken", name));
  const Shape wanted{1, config.outputs};
  if (!is_auxiliary(name) || shape == wanted) return;
  throw Error(ErrorKind::usage,
              fmt::format("the auxiliary output \"{}\" is {} instead of [{}], one number per class",
                          name, to_string(shape.slice(1)), config.outputs))
      .with("try", "a name that does not begin with \"aux\"");
}

bool is_name(const std::string& text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), fits);
}

/// A valid name. Errors: model.
std::string read_name(const toml::node& node) {
  const auto name = node.value_exact<std::string>();
  if (!name || !is_name(*name)) {
    throw bad("a name must be a string of 1 to 64 letters, digits, _ or -");
  }
  return *name;
}

/// Any number: 1 as well as 1.0.
std::optional<double> number(const toml::node& node) {
  return node.is_number() ? node.value<double>() : std::nullopt;
}
std::optional<int64_t> integer(const toml::node& node) { return node.value_exact<int64_t>(); }

/// The numbers of a list, or a single number as a list of one; none for anything else.
template <class Number>
ArgumentValue per_axis(const toml::node& node,
                       std::optional<Number> (*read)(const toml::node& node)) {
  if (const auto one = read(node)) return std::vector<Number>{*one};
  const toml::array* list = node.as_array();
  if (list == nullptr) return {};
  std::vector<Number> values;
  for (const toml::node& entry : *list) {
    const auto value = read(entry);
    if (!value) return {};
    values.push_back(*value);
  }
  return values;
}

/// The value of a node as an argument of this type; none when it has another type.
ArgumentValue value_of(const toml::node& node, ArgumentType type) {
  if (const auto word = node.value_exact<std::string>()) return *word;
  switch (type) {
    case ArgumentType::integer:
      if (const auto value = integer(node)) return *value;
      return {};
    case ArgumentType::number:
      if (const auto value = number(node)) return *value;
      return {};
    case ArgumentType::flag:
      if (const auto value = node.value_exact<bool>()) return *value;
      return {};
    case ArgumentType::integers:
      return per_axis(node, integer);
    case ArgumentType::numbers:
      return per_axis(node, number);
    case ArgumentType::word:
      return {};
  }
  return {};
}

/// A node as written in the text, for messages.
std::string text_of(const toml::node& node) {
  if (const auto word = node.value_exact<std::string>()) return '"' + *word + '"';
  std::ostringstream text;
  node.visit([&](const auto& value) { text << value; });
  return text.str();
}

/// The value that a node gives to an argument. Errors: model.
ArgumentValue read_argument(const toml::node& node, const Argument& argument) {
  ArgumentValue value = value_of(node, argument.type);
  if (!argument.accepts(value)) throw bad(argument.mismatch(text_of(node)));
  return value;
}

/// The same for a layer, where a word may be a choice that the text declares.
ArgumentValue read_argument(const toml::node& node, const Argument& argument,
                            const Config& config) {
  const std::string word = node.value_exact<std::string>().value_or("");
  if (config.choices.contains(word) && argument.accepts(config.choices.value(word)))
    return config.choices.value(word);
  if (word == "outputs" && argument.accepts("classes")) return config.outputs;
  const ArgumentValue value = read_argument(node, argument);
  if (word == "classes") return config.outputs;
  if (word == "dropout") return 0.0;  // which the text does not declare
  return value;
}

/// What every layer may have besides the arguments of its kind.
const std::vector<std::string> common_keys{"type", "name", "from", "repeat", "output"};
const Argument repeat_argument{
    .name = "repeat", .type = ArgumentType::integer, .minimum = 1, .maximum = 1000};

/// The arguments of a layer, given or by default. Errors: model.
Arguments layer_arguments(const Choice& kind, const toml::table* given, Reading& reading) {
  const Where layer = reading.line;
  Arguments arguments;
  for (const Argument& argument : kind.arguments) {
    const toml::node* node = given != nullptr ? given->get(argument.name) : nullptr;
    if (node == nullptr && argument.required()) {
      throw bad(fmt::format("{}: {} is missing", kind.name, argument.name))
          .with("expected", argument.expected());
    }
    if (node != nullptr) reading.line = reading.where(*node);
    try {
      arguments.set(argument.name, node == nullptr
                                       ? argument.default_value
                                       : read_argument(*node, argument, reading.config));
    } catch (const Error& error) {
      throw bad(fmt::format("{}: {}", kind.name, error.headline()));
    }
  }
  reading.line = layer;
  return arguments;
}

void require_known_keys(const LayerKind& kind, const toml::table& given, Reading& reading) {
  std::vector<std::string> known = common_keys;
  for (const Argument& argument : kind.choice.arguments) known.push_back(argument.name);
  if (!kind.build) known.emplace_back("layers");
  for (const auto& [key, node] : given) {
    const std::string name(key.str());
    if (std::ranges::count(known, name) > 0) continue;
    reading.line = reading.where(node);
    throw unknown_name("argument of " + kind.choice.name, name, known, ErrorKind::model)
        .with("try", "fovea layers, which lists them");
  }
}

/// One layer as the text describes it: a table, or just a type in quotes.
struct Item {
  const toml::table* table;  ///< null where there is only a type
  const LayerKind* kind;
  std::string name;    ///< "" for its index in the list
  std::string output;  ///< what its output is called outside the net, "" if it is not seen there
  int64_t repeat = 1;

  const toml::node* get(std::string_view key) const {
    return table != nullptr ? table->get(key) : nullptr;
  }
};

Item read_item(const toml::node& node) {
  Item item{.table = node.as_table(), .kind = nullptr, .name = {}, .output = {}};
  std::optional<std::string> type = node.value_exact<std::string>();
  if (!item.table && !type) {
    throw bad("a layer must be a table, { type = \"Conv2d\", ... }, or a type in quotes, \"ReLU\"");
  }
  if (const toml::node* name = item.get("name")) item.name = read_name(*name);
  if (item.table) {
    const toml::node* given = item.get("type");
    type = given                ? given->value_exact<std::string>()
           : item.get("layers") ? std::optional<std::string>("Sequential")
                                : std::nullopt;
    if (!type) throw bad("the type of the layer is missing").with("try", "type = \"Conv2d\"");
  }
  item.kind = &layer_kind(*type);
  if (const toml::node* repeat = item.get("repeat")) {
    const ArgumentValue times = value_of(*repeat, repeat_argument.type);
    if (!repeat_argument.accepts(times)) throw bad(repeat_argument.mismatch(text_of(*repeat)));
    item.repeat = std::get<int64_t>(times);
    if (item.repeat > 1 && item.kind->merges)
      throw bad(item.kind->choice.name + " cannot be repeated");
  }
  if (const toml::node* output = item.get("output")) {
    item.output = read_name(*output);
    if (item.repeat > 1) throw bad("a layer that is repeated has no output of its own");
  }
  return item;
}

/// The layers of one list. Each receives the previous layer's output, or what its `from` names.
class Sequential : public nn::Module {
 public:
  using Module::Module;

  /// Builds the layers one by one for input `x`, each for the shape that it receives; returns the
  /// output of the last one.
  Tensor read(const toml::array& list, Reading& reading, const Tensor& x);

  Tensor forward(Tensor x) const override {
    Tensors values{std::move(x)};
    for (const Layer& layer : layers_) values.push_back(run(layer, values));
    return values.back();
  }

 private:
  struct Layer {
    std::string name;
    Where where;
    std::vector<size_t> from;  ///< 0: the list's input; i: layer i - 1
    std::string output;        ///< a name for its output in the net's graph, or ""
    std::unique_ptr<nn::Module> module;
  };

  static Tensor run(const Layer& layer, const Tensors& values);
  static Tensor computed(const Layer& layer, const Tensors& values);
  void add(const toml::node& node, Reading& reading, Tensors& values);
  void add_one(const Item& item, Layer layer, Reading& reading, Tensors& values);
  std::vector<size_t> sources(const Item& item) const;
  size_t source(const toml::node& node) const;
  void require_new(const std::string& name) const;
  void require_used();

  std::vector<Layer> layers_;
};

Tensor Sequential::read(const toml::array& list, Reading& reading, const Tensor& x) {
  const nn::Entered entered(x.graph(), *this);
  Tensors values{x};
  for (const toml::node& node : list) add(node, reading, values);
  if (layers_.empty()) throw bad("the list of layers is empty");
  require_used();
  return values.back();
}

Tensor Sequential::run(const Layer& layer, const Tensors& values) {
  const Tensor output = computed(layer, values);
  if (!layer.output.empty()) add_named_output(layer.output, output);
  return output;
}

Tensor Sequential::computed(const Layer& layer, const Tensors& values) {
  const Tensor& first = values[layer.from[0]];
  const auto* merge = dynamic_cast<const Merge*>(layer.module.get());
  if (merge == nullptr) return (*layer.module)(first);
  Tensors others;
  for (size_t i = 1; i < layer.from.size(); ++i) others.push_back(values[layer.from[i]]);
  return nn::call(*merge, first, others);
}

void Sequential::add(const toml::node& node, Reading& reading, Tensors& values) {
  const Where where = reading.line = reading.where(node);
  std::string name;
  try {
    const Item item = read_item(node);
    for (int64_t i = 1; i <= item.repeat; ++i) {
      const std::string number = item.repeat > 1 ? std::to_string(i) : "";
      Layer layer{.name = item.name.empty() ? std::to_string(layers_.size()) : item.name + number,
                  .where = where,
                  .from = {layers_.size()},
                  .output = item.output,
                  .module = nullptr};
      name = layer.name;
      require_new(layer.name);
      if (i == 1) layer.from = sources(item);
      add_one(item, std::move(layer), reading, values);
    }
  } catch (Error& error) {
    throw error.at(name.empty() ? reading.line.text() : at(name, reading.line).describe());
  }
}

void Sequential::add_one(const Item& item, Layer layer, Reading& reading, Tensors& values) {
  if (++reading.layers > max_layers) {
    throw bad(fmt::format("a net may have at most {} layers", max_layers));
  }
  const Tensor x = values[layer.from[0]];  // a copy: values grow
  const nn::Scope scope = at(layer.name, layer.where);
  if (item.table) require_known_keys(*item.kind, *item.table, reading);
  if (item.kind->build) {
    const Arguments arguments = layer_arguments(item.kind->choice, item.table, reading);
    layer.module = item.kind->build(scope, x.shape(), arguments);
    values.push_back(run(layer, values));
  } else {
    const toml::node* list = item.get("layers");
    if (!list || !list->is_array())
      throw bad("Sequential: layers is missing").with("expected", "a list of layers");
    if (++reading.depth >= max_depth) {
      throw bad(fmt::format("lists of layers may be nested at most {} deep", max_depth));
    }
    auto inner = std::make_unique<Sequential>(scope);
    values.push_back(inner->read(*list->as_array(), reading, x));
    --reading.depth;
    layer.module = std::move(inner);
  }
  reading.line = layer.where;
  if (!item.output.empty()) reading.add_output(item.output, values.back().shape());
  if (x.graph().nodes().size() > max_operations) {
    throw bad(fmt::format("a net may have at most {} operations", max_operations));
  }
  layers_.push_back(std::move(layer));
}

std::vector<size_t> Sequential::sources(const Item& item) const {
  const toml::node* from = item.get("from");
  const bool merges = item.kind->merges;
  if (from == nullptr) {
    if (!merges) return {layers_.size()};
    throw bad(item.kind->choice.name + ": from is missing")
        .with("expected",
              "the name of a layer to combine with the previous one, or a list of names");
  }
  std::vector<size_t> result;
  if (const toml::array* list = from->as_array()) {
    for (const toml::node& one : *list) result.push_back(source(one));
  } else {
    if (merges) result.push_back(layers_.size());
    result.push_back(source(*from));
  }
  if (merges ? result.size() >= 2 && result.size() <= 64 : result.size() == 1) return result;
  throw bad(fmt::format("{}: from must name {}, not {}", item.kind->choice.name,
                        merges ? "2 to 64 layers" : "1 layer", result.size()));
}

size_t Sequential::source(const toml::node& node) const {
  const auto number = node.value_exact<int64_t>();
  const auto count = static_cast<int64_t>(layers_.size());
  if (number && *number < 0 && *number >= -count - 1)
    return static_cast<size_t>(count + 1 + *number);
  std::optional<std::string> name = node.value_exact<std::string>();
  if (number) name = std::to_string(*number);
  if (!name)
    throw bad(
        "from must be the name of a layer, -1 for the previous one, -2 for the one before it, ...");
  if (*name == "input") return 0;
  std::vector<std::string> names{"input"};
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (layers_[i].name == *name) return i + 1;
    names.push_back(layers_[i].name);
  }
  throw unknown_name("layer", *name, names, ErrorKind::model)
      .with("expected", "the name of an earlier layer of the same list, or \"input\"");
}

void Sequential::require_new(const std::string& name) const {
  if (name == "input") throw bad("\"input\" is the name of the input of a list of layers");
  for (const Layer& layer : layers_) {
    if (layer.name == name) {
      throw bad(fmt::format("two layers are named \"{}\"", name)).with("first", layer.where.text());
    }
  }
}

void Sequential::require_used() {
  std::vector<bool> used(layers_.size() + 1);
  used.back() = true;
  for (size_t i = 0; i < layers_.size(); ++i) {
    for (size_t source : layers_[i].from) used[source] = true;
    if (!layers_[i].output.empty()) used[i + 1] = true;
  }
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (used[i + 1]) continue;
    throw bad(fmt::format("no layer uses the output of \"{}\"", layers_[i].name))
        .with("at", at(layers_[i].name, layers_[i].where).describe())
        .with("try", fmt::format("from = \"{}\" in a layer below it", layers_[i].name));
  }
}

// The entire text.

toml::table parse(const NetText& net) {
  if (net.text.size() > max_bytes) {
    throw bad(fmt::format("{}: a net's text may have at most {} bytes", net.file, max_bytes));
  }
  try {
    return toml::parse(net.text, net.file);
  } catch (const toml::parse_error& e) {
    throw bad(fmt::format("{}: {}", net.file, e.description()))
        .with("at", Where(net.file, e.source().begin.line).text());
  }
}

/// The layer types that `init` may name.
const std::map<std::string, void (*)(nn::Module&, const nn::Initializer&)> initialized{
    {"Conv1d", nn::initialize<nn::Conv1d>},
    {"Conv2d", nn::initialize<nn::Conv2d>},
    {"Conv3d", nn::initialize<nn::Conv3d>},
    {"Linear", nn::initialize<nn::Linear>},
};

/// Sets the initialisers of the layer types that `init` names. Errors: model.
void initialize(nn::Module& root, const toml::table& init) {
  for (const auto& [key, node] : init) {
    const std::string kind(key.str());
    const auto rule = node.value_exact<std::string>();
    if (!rule) throw bad("init must name an initialiser, such as \"kaiming_normal\"");
    if (std::ranges::count(nn::init::names(), *rule) == 0)
      throw unknown_name("initialiser", *rule, nn::init::names(), ErrorKind::model);
    const nn::Initializer weight = nn::init::by_name(*rule);
    const auto layer = initialized.find(kind);
    if (layer == initialized.end()) {
      std::vector<std::string> kinds;
      for (const auto& [name, apply] : initialized) kinds.push_back(name);
      throw unknown_name("layer type in init", kind, kinds, ErrorKind::model);
    }
    layer->second(root, weight);
  }
}

/// Builds the model and checks the shape of its output. Errors: as net_entry.
std::unique_ptr<nn::Module> build(const NetText& net, const nn::Scope& scope,
                                  const Config& config) {
  const toml::table document = parse(net);
  Reading reading{.file = net.file, .config = config};
  const toml::array* list = document["layers"].as_array();
  if (list == nullptr)
    throw bad(net.file + ": layers is missing").with("expected", "a list of layers");
  auto model = std::make_unique<Sequential>(scope);
  const auto graph = Graph::make(Mode::eval, DType::f32, model->title());
  const Tensor x = graph->input("input", {DType::f32, Shape{1}.concat(config.input)});
  Shape output;
  try {
    output = model->read(*list, reading, x).shape();
  } catch (Error& error) {
    throw error.at(reading.where(*list).text());
  }
  if (output != Shape{1, config.outputs}) {
    throw Error(ErrorKind::usage,
                fmt::format("the net's output is {} instead of [{}], one number per class",
                            to_string(output.slice(1)), config.outputs))
        .with("at", reading.where(*list->get(list->size() - 1)).text())
        .with("try",
              "\"Flatten\" and { type = \"Linear\", out_features = \"classes\" } at the end");
  }
  if (const toml::table* init = document["init"].as_table()) {
    try {
      initialize(*model, *init);
    } catch (Error& error) {
      throw error.at(reading.where(*init).text());
    }
  }
  return model;
}

int64_t read_integer(const toml::node& node, const std::string& name, double maximum) {
  const Argument argument{
      .name = name, .type = ArgumentType::integer, .minimum = 1, .maximum = maximum};
  return std::get<int64_t>(read_argument(node, argument));
}

Shape read_input(const toml::node& node) {
  const toml::array* sizes = node.as_array();
  if (sizes == nullptr || sizes->empty() || sizes->size() > 4) {
    throw bad("input must be a list of channels and up to 3 sizes, such as [3, 32, 32], not " +
              text_of(node));
  }
  std::vector<int64_t> shape;
  for (const toml::node& size : *sizes)
    shape.push_back(read_integer(size, "a size of input", 65536));
  return Shape(shape);
}

/// The choices that a text may declare: those of all models that are numbers.
std::vector<Argument> declarable() {
  std::vector<Argument> numbers = choices();
  std::erase_if(numbers, [](const Argument& choice) {
    return choice.type != ArgumentType::number && choice.type != ArgumentType::integer;
  });
  return numbers;
}

/// Reads a key above the layers. Errors: model.
void read_head(const std::string& key, const toml::node& node, Entry& entry) {
  if (key == "name") {
    entry.name = read_name(node);
  } else if (key == "classes" || key == "outputs") {
    entry.outputs = read_integer(node, key, 1000000);
  } else if (key == "input") {
    entry.input = read_input(node);
  } else if (key == "layers") {
    if (!node.is_array()) throw bad("layers must be a list");
  } else if (key == "init") {
    if (!node.is_table()) throw bad("init must be { Conv2d = \"RULE\", Linear = \"RULE\" }");
  } else {
    const std::vector<Argument> all = declarable();
    const auto choice = std::ranges::find(all, key, &Argument::name);
    if (choice != all.end()) {
      entry.choices.push_back(*choice);
      entry.choices.back().default_value = read_argument(node, *choice);
      return;
    }
    std::vector<std::string> known{"name", "input", "classes", "outputs", "init", "layers"};
    for (const Argument& possible : all) known.push_back(possible.name);
    throw unknown_name("key of a net", key, known, ErrorKind::model);
  }
}

}  // namespace

bool is_net_file(std::string_view model) { return model.ends_with(".toml"); }

NetText read_net(const std::filesystem::path& path) {
  return {.file = is_stream(path) ? "net.toml" : path.string(),
          .text = read_text(path, ErrorKind::model, max_bytes)};
}

Entry net_entry(const NetText& net) {
  const toml::table document = parse(net);
  Entry entry{.name = std::filesystem::path(net.file).stem().string(),
              .net = std::make_shared<const NetText>(net),
              .where = Where(net.file, 1)};
  for (const auto& [key, node] : document) {
    const std::string name(key.str());
    const Where where(net.file, node.source().begin.line);
    try {
      read_head(name, node, entry);
    } catch (Error& error) {
      throw error.at(where.text());
    }
  }
  if (!is_name(entry.name)) {
    throw bad(net.file + ": the file's name cannot be the net's")
        .with("try", "name = \"...\", of 1 to 64 letters, digits, _ or -, at the top");
  }
  entry.build = [net](const nn::Scope& scope, const Config& config) {
    return build(net, scope, config);
  };
  return entry;
}

}  // namespace fovea::models
