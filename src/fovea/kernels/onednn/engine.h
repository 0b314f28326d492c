#pragma once

#include <initializer_list>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <utility>

#include "fovea/kernels/kernel.h"

namespace fovea::onednn {

/// The CPU engine all primitives share, and the calling thread's stream.
const dnnl::engine& engine();
dnnl::stream& stream();

/// A value's memory descriptor, by its layout.
dnnl::memory::desc descriptor(const Type& type);

/// Row-major data of these dimensions.
dnnl::memory::desc plain_descriptor(const dnnl::memory::dims& dims, DType dtype);

/// f32 or bf16, as oneDNN says it.
dnnl::memory::data_type data_type(DType dtype);

/// Memory that somebody else owns.
dnnl::memory wrap(const dnnl::memory::desc& desc, const void* data);

/// Runs a primitive with these arguments (DNNL_ARG_..., memory) and user-managed scratchpad.
void execute(const dnnl::primitive& primitive,
             std::initializer_list<std::pair<int, dnnl::memory>> args);

/// Attributes that every primitive here has: the scratchpad comes from the Program's arena.
dnnl::primitive_attr attributes();

/// Why a problem cannot go to oneDNN whatever the op; empty when it can: values other than f32 and
/// bf16, bf16 without AVX-512, empty values.
std::string refuse(const Problem& problem);

/// True for oneDNN's slow reference implementations, which are not worth choosing.
bool is_reference(const std::string& implementation);

/// Runs `make`; what oneDNN throws ("could not create a primitive descriptor") becomes a Refusal.
Offer offer(const Problem& problem, const std::function<Offer()>& make);

}  // namespace fovea::onednn
