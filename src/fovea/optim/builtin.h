#pragma once

#include "fovea/optim/optimizer.h"

namespace fovea::optim {

/// The optimisers of the library, one file each.
Entry sgd_entry();
Entry nesterov_entry();
Entry adamw_entry();
Entry rmsprop_entry();
Entry lamb_entry();
Entry muon_entry();

}  // namespace fovea::optim
