// How a run ends because of numbers that are not finite.

#include <fmt/format.h>

#include "fovea/core/text.h"
#include "fovea/runtime/nonfinite.h"
#include "fovea/train/run_folder.h"
#include "fovea/train/trainer.h"

namespace fovea::train {

/// Ends the run because of numbers that are not finite. They came from `batch` or, without one,
/// from the previous update.
void Trainer::diverged(const std::string& what, const data::Batch* batch) {
  using From = NonFinite::From;
  const NonFinite origin =
      batch != nullptr
          ? learner_->step().nonfinite_origin(batch->inputs, batch->targets, progress_.updates + 1)
          : NonFinite{From::state,
                      nonfinite_in(state(), {Role::parameter, Role::moment, Role::buffer})};
  const bool was_given =
      batch != nullptr &&
      (origin.from == From::input || (origin.from == From::state && progress_.updates == 0));
  Error error(ErrorKind::diverged, what);
  if (was_given) {
    error = nonfinite_error(what, origin);
  } else {
    if (!origin.text.empty()) error.with("first", origin.text);
    const bool small_range = setup_.settings.precision == "f16";
    error.with("try",
               fmt::format("a lower --lr (it was {}), --clip 1, or a longer --warmup{}",
                           format_number(progress_.lr),
                           small_range ? ", or --precision bf16, whose range is that of f32" : ""));
  }
  append_log(folder_, error.what());
  throw error;
}

/// Called before anything is saved: no file is replaced by one with a number that is not finite.
void Trainer::require_finite() {
  if (nonfinite_in(state(), {Role::parameter, Role::buffer, Role::moment}).empty()) return;
  diverged("the net is not finite after step " + std::to_string(progress_.updates) +
           ": it is not saved");
}

/// Measures a split. An error of it says `place` and is logged.
tasks::Measures Trainer::measured(const std::string& place,
                                  const std::function<tasks::Measures()>& measure) {
  try {
    return measure();
  } catch (Error& error) {
    error.at(place);
    append_log(folder_, error.what());
    throw;
  }
}

}  // namespace fovea::train
