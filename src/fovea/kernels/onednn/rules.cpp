#include "fovea/kernels/rules.h"

#include "fovea/kernels/onednn/conv.h"
#include "fovea/kernels/onednn/matmul.h"
#include "fovea/kernels/onednn/pool.h"

namespace fovea {

void add_onednn_rules(const RuleSink& add) {
  onednn::add_conv_rules(add);
  onednn::add_matmul_rules(add);
  onednn::add_pool_rules(add);
}

}  // namespace fovea
