#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fovea/core/arguments.h"
#include "fovea/graph/graph.h"
#include "fovea/runtime/program_cache.h"
#include "fovea/runtime/state.h"

namespace fovea::optim {

/// What one update needs to know.
struct Update {
  /// Learning rate, 0 or more; required.
  double lr = std::numeric_limits<double>::quiet_NaN();
  double gradient_scale = 1;  ///< multiplies every gradient first (clipping)
  /// Afterwards each element of a gradient is limited to this size.
  double clip_value = std::numeric_limits<double>::infinity();
  /// The learning rates of the optimiser's groups; empty: `lr` times their lr_scale.
  std::vector<double> group_lrs = {};
};

/// Which parameters weight decay applies to.
enum class Decay : uint8_t {
  all,      ///< every parameter, as PyTorch does
  weights,  ///< only arrays of two or more axes: no scales and shifts of norms, no biases
};

struct WeightDecay {
  double amount = 0;
  Decay parameters = Decay::all;
};

/// A State array that an optimiser keeps for each parameter, under "NAME:PARAMETER".
struct Moment {
  std::string name;  ///< "momentum"
  Type type;
  double initial = 0;  ///< of every element
};

/// One parameter while its update is traced: the values that the update is built of. The optimiser
/// assigns the new ones to `parameter` and to its moments.
struct ParameterStep {
  std::string name;         ///< of the parameter: "layer1.0.conv1.weight"
  Tensor parameter;         ///< of any shape
  Tensor gradient = {};     ///< of the parameter's type, already scaled
  Tensor lr = {};           ///< the learning rate, a scalar of the parameter's dtype
  Tensor lr64 = {};         ///< the same in float64, for computing with it
  double weight_decay = 0;  ///< 0 where the parameter is exempt
  std::map<std::string, Tensor, std::less<>> moments = {};  ///< by name

  /// A State array that `Optimizer::moments` names. Errors: internal when it does not.
  Tensor& operator[](std::string_view moment);
  /// A value of another float type, such as a float64 scalar, in the parameter's dtype.
  Tensor as_parameter(const Tensor& value) const;
};

class Optimizer;

/// Parameters that are updated in a way of their own.
struct Group {
  std::function<bool(std::string_view parameter)> contains;
  /// With its own arguments and weight decay; none: the optimiser to which the group is added.
  std::shared_ptr<const Optimizer> optimizer = nullptr;
  double lr_scale = 1;  ///< of the learning rate
};

/// The second half of a training step: moves each parameter of a State by its gradient ("grad:" +
/// name, see autodiff.h). An optimiser says which State arrays it keeps and builds the update of
/// one parameter out of ops; that of all parameters is one Program, compiled on the first update
/// and again when other parameters have gradients (see docs/adding-an-optimizer.md). It has no
/// numeric state of its own: a checkpoint of the State holds everything.
///
///     auto optimizer = optim::muon({});     // for filters; biases and norms need another one:
///     optimizer->add({.contains = [](auto name) { return name.ends_with(".bias"); },
///                     .optimizer = optim::sgd({.nesterov = true}),
///                     .lr_scale = 0.2});
class Optimizer {
 public:
  explicit Optimizer(const WeightDecay& decay = {}) : decay_(decay) {}
  virtual ~Optimizer() = default;

  /// Adds a group; of several that contain a parameter, the first one counts. Call it before
  /// `declare`. The groups of a group's optimiser have no effect.
  void add(Group group) { groups_.push_back(std::move(group)); }

  /// What it keeps for a parameter of this type. Errors: usage for a type that it cannot update.
  virtual std::vector<Moment> moments(const Type& parameter) const;
  /// Builds the update of one parameter: a new value of the same type for `p.parameter` and, as
  /// needed, for p["momentum"] and the like.
  virtual void step(ParameterStep& p) const = 0;

  /// Declares the moments of every parameter in the State. Call it once, before the first update.
  /// Errors: usage, naming the parameter, as `moments`.
  void declare(State& state) const;
  /// Parameters without a gradient and their moments are left untouched; the others are updated in
  /// place. Denormals are flushed to zero, so fading moments vanish. Errors: usage when `lr` is
  /// missing, negative or not finite, likewise those of the groups, when moments were not declared,
  /// or when `step` gives a value of another type.
  void update(State& state, const Update& update);

  /// The update of the parameters that now have a gradient in this State, as traced and compiled:
  /// inputs "lr" f64, one number per parameter, and "gradient_scale" and, with `clips`,
  /// "clip_value" f64, scalars.
  std::shared_ptr<Graph> trace(const State& state, bool clips = false) const;
  const Program& program(const State& state, bool clips = false);

 private:
  using Parameters = std::vector<std::pair<std::string, Type>>;
  static Parameters with_gradients(const State& state);
  std::vector<Group>::const_iterator group_of(std::string_view parameter) const;
  const Optimizer& rule_for(std::string_view parameter) const;
  double lr_of(std::string_view parameter, const Update& update) const;

  WeightDecay decay_;
  std::vector<Group> groups_;
  ProgramCache<std::pair<Parameters, bool>> programs_;
  Memory memory_;
};

/// One optimiser that can be chosen by name.
struct Entry {
  Choice choice;
  std::function<std::unique_ptr<Optimizer>(const Arguments&, const WeightDecay&)> make;
};

/// All of them: `sgd`, `nesterov`, `adamw`, `rmsprop`, `lamb` and `muon`, see the headers of these
/// names, and those added.
const std::vector<Entry>& optimizers();
/// Adds an optimiser of your own, which `parse` then knows. Not thread-safe: call it before
/// `parse`. Errors: usage when the name is taken.
void add(Entry entry);

/// Parses --optimizer, such as "sgd:0.9" or "adamw:beta2=0.99", and --weight-decay, `X` or
/// `X:weights` (see Decay). Errors: usage, listing the known ones.
std::unique_ptr<Optimizer> parse(std::string_view optimizer, std::string_view weight_decay);

}  // namespace fovea::optim
