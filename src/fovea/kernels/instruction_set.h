#pragma once

namespace fovea {

/// The instruction sets that kernels can be limited to, each including those before it.
enum class InstructionSet { sse4, avx2, avx512 };

/// Applies the limit in $FOVEA_ISA (sse4, avx2 or avx512), if it is set, to all kernels, Fovea's
/// own and oneDNN's: for comparing instruction sets on one CPU, and for the same bits on different
/// ones. Choosing a kernel does this first, so a program need not call it, except to report an
/// error early. Only the first call that succeeds reads the variable. Errors: usage for another
/// value, for one that this CPU does not have or that is not compiled in, and when oneDNN can no
/// longer be limited because the application has used it already.
void limit_instruction_set();

}  // namespace fovea
