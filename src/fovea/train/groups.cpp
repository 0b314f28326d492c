#include "fovea/train/groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/core/text.h"

namespace fovea::train {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();

/// The factor of the learning rate for arrays that were frozen, unless --backbone-lr is given.
constexpr double default_backbone_share = 0.1;

struct NumberKey {
  std::string name;
  double Group::*member;
  bool positive = false;
};

struct TextKey {
  std::string name;
  std::string Group::*member;
};

const std::vector<NumberKey>& number_keys() {
  static const std::vector<NumberKey> keys{{"lr", &Group::lr, true},
                                           {"lr-scale", &Group::lr_scale},
                                           {"from", &Group::from},
                                           {"until", &Group::until, true}};
  return keys;
}

const std::vector<TextKey>& text_keys() {
  static const std::vector<TextKey> keys{{"weight-decay", &Group::weight_decay},
                                         {"optimizer", &Group::optimizer},
                                         {"schedule", &Group::schedule}};
  return keys;
}

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(' '), end = text.find_last_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, end + 1 - begin);
}

Error unreadable(const std::string& text, const std::string& why) {
  return Error(ErrorKind::usage, fmt::format("--group \"{}\": {}", printable(text), why))
      .with(
          "expected",
          "SELECTION:KEY=VALUE,... with the keys lr, lr-scale, weight-decay, optimizer, schedule, "
          "from, until")
      .with("try", "'*.bias:lr=0.05,weight-decay=0'");
}

/// Sets what "KEY=VALUE" says.
void set(Group& group, const std::string& text, const std::string& assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos)
    throw unreadable(text, "\"" + printable(assignment) + "\" has no value");
  const std::string key = trimmed(assignment.substr(0, equals)),
                    value = trimmed(assignment.substr(equals + 1));
  for (const NumberKey& k : number_keys()) {
    if (k.name != key) continue;
    const Argument argument{.name = key, .maximum = 1e6, .open_minimum = k.positive};
    const ArgumentValue number = argument.read(value);
    if (!std::holds_alternative<double>(number)) {
      throw unreadable(text, argument.mismatch('"' + value + '"'));
    }
    group.*k.member = std::get<double>(number);
    return;
  }
  for (const TextKey& k : text_keys()) {
    if (k.name != key) continue;
    if (value.empty()) throw unreadable(text, key + " has no value");
    group.*k.member = value;
    return;
  }
  throw unreadable(text, "unknown key \"" + printable(key) + "\"");
}

/// The arrays of a net, from which groups are selected.
struct Arrays {
  const nn::Module& model;
  const models::ArrayNames& head;

  models::ArrayNames select(std::string_view flag, std::string_view text) const {
    return models::select(flag, text, model, head);
  }
};

Group parse(const std::string& text, const Settings& settings, const Arrays& arrays) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos) throw unreadable(text, "it says nothing about its arrays");
  Group group{.selection = trimmed(text.substr(0, colon)), .arrays = {}};
  for (const std::string& part : split(text.substr(colon + 1), ',')) set(group, text, part);
  if (group.selection.empty()) throw unreadable(text, "it selects no array");
  if (group.lr > 0 && group.lr_scale != 1) throw unreadable(text, "it has both lr and lr-scale");
  if (group.from >= group.until) throw unreadable(text, "from is not before until");
  if (group.from >= static_cast<double>(settings.epochs)) {
    throw unreadable(
        text, "from is not before the end of the run, --epochs " + std::to_string(settings.epochs))
        .with("try", "--freeze, for arrays that are never trained");
  }
  if (group.lr > 0) {
    if (settings.lr == 0) throw unreadable(text, "its lr needs an --lr above 0");
    group.lr_scale = group.lr / settings.lr;
  }
  group.arrays = arrays.select("--group", group.selection);
  return group;
}

/// The arrays of --freeze: not trained, or once unfrozen more slowly than the others.
std::optional<Group> frozen_group(const Settings& settings, const Arrays& arrays) {
  if (settings.freeze.empty()) return std::nullopt;
  const double after = static_cast<double>(settings.unfreeze_after);
  return Group{.selection = settings.freeze,
               .arrays = arrays.select("--freeze", settings.freeze),
               .lr = settings.backbone_lr,
               .lr_scale = settings.backbone_lr > 0 ? settings.backbone_lr / settings.lr
                                                    : default_backbone_share,
               .from = after > 0 ? after : never};
}

}  // namespace

Groups::Groups(const Settings& settings, const nn::Module& model, const models::ArrayNames& head)
    : lr_(settings.lr),
      optimizer_(settings.optimizer),
      weight_decay_(settings.weight_decay),
      freeze_(frozen_group(settings, {model, head})) {
  for (const std::string& text : split(settings.group, ';')) {
    if (!trimmed(text).empty()) groups_.push_back(parse(trimmed(text), settings, {model, head}));
  }
  if (freeze_ && freeze_->from != never) groups_.push_back(*freeze_);
  const double end = static_cast<double>(settings.epochs);
  for (const Group& group : groups_) {
    const double length = std::min(group.until, end) - group.from;
    schedules_.emplace_back();
    if (!group.schedule.empty()) schedules_.back().emplace(group.schedule, length);
    for (const double epoch : {group.from, group.until}) {
      if (epoch > 0 && epoch < end) changes_.push_back(epoch);
    }
  }
  std::ranges::sort(changes_);
  changes_.erase(std::unique(changes_.begin(), changes_.end()), changes_.end());
}

const Group* Groups::find(std::string_view array) const {
  const auto found =
      std::ranges::find_if(groups_, [&](const Group& g) { return g.arrays.contains(array); });
  return found == groups_.end() ? nullptr : &*found;
}

bool Groups::frozen(std::string_view array, double epoch) const {
  if (freeze_ && freeze_->arrays.contains(array) && !freeze_->trained_at(epoch)) return true;
  const Group* group = find(array);
  return group != nullptr && !group->trained_at(epoch);
}

bool Groups::freezes() const { return freeze_ || !changes_.empty(); }

size_t Groups::phase(double epoch) const {
  return static_cast<size_t>(std::ranges::upper_bound(changes_, epoch) - changes_.begin());
}

void Groups::add_to(optim::Optimizer& optimizer) const {
  for (const Group& group : groups_) {
    const bool own = !group.optimizer.empty() || !group.weight_decay.empty();
    const std::string rule = group.optimizer.empty() ? optimizer_ : group.optimizer;
    const std::string decay = group.weight_decay.empty() ? weight_decay_ : group.weight_decay;
    optimizer.add({.contains = [arrays = group.arrays](
                                   std::string_view name) { return arrays.contains(name); },
                   .optimizer = own ? optim::parse(rule, decay) : nullptr,
                   .lr_scale = group.lr_scale});
  }
}

std::vector<double> Groups::rates(double epoch, double lr, double lr_factor,
                                  std::span<const double> scores) const {
  std::vector<double> rates;
  for (size_t i = 0; i < groups_.size(); ++i) {
    const double own =
        schedules_[i] ? lr_ * schedules_[i]->factor(epoch - groups_[i].from, scores) * lr_factor
                      : lr;
    rates.push_back(own * groups_[i].lr_scale);
  }
  return rates;
}

}  // namespace fovea::train
