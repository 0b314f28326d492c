// In place of transfer.cpp where libcurl is missing.
#include "fovea/core/error.h"
#include "fovea/downloads/transfer.h"

namespace fovea {

bool can_download() { return false; }

void transfer(const Transfer&, const DownloadOptions&) { require(false, "nothing can download"); }

}  // namespace fovea
