#pragma once

#include <initializer_list>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <utility>

#include "fovea/kernels/kernel.h"

namespace fovea::onednn {

/// Whether oneDNN may use this instruction set here.
bool has(dnnl::cpu_isa wanted);

/// The CPU engine that all primitives share, and the calling thread's stream.
const dnnl::engine& engine();
dnnl::stream& stream();

/// A value's memory descriptor, by its layout.
dnnl::memory::desc descriptor(const Type& type);

/// Row-major data of these dimensions.
dnnl::memory::desc plain_descriptor(const dnnl::memory::dims& dims, DType dtype);

/// oneDNN's data type for f32 or bf16.
dnnl::memory::data_type data_type(DType dtype);

/// Memory owned elsewhere.
dnnl::memory wrap(const dnnl::memory::desc& desc, const void* data);

/// Runs a primitive with these arguments (DNNL_ARG_..., memory) and a user-managed scratchpad.
void execute(const dnnl::primitive& primitive,
             std::initializer_list<std::pair<int, dnnl::memory>> args);

/// The attributes of every primitive here: the scratchpad comes from the Program's arena.
dnnl::primitive_attr attributes();

/// Why oneDNN cannot take a problem of any op, or empty: values other than f32 and bf16, bf16
/// without AVX-512, empty values.
std::string refuse(const Problem& problem);

/// Why a product of these values is not worth computing in bf16, or empty: the dot products of
/// AVX512_BF16 take twice the time of f32's FMAs on Intel's CPUs and half of it on AMD's; without
/// them, bf16 is emulated.
std::string refuse_products(const Problem& problem);

/// Whether it is one of oneDNN's slow reference implementations, which are not worth choosing.
bool is_reference(const std::string& implementation);

/// Runs `make`; an error of oneDNN ("could not create a primitive descriptor") becomes a Refusal.
Offer offer(const Problem& problem, const std::function<Offer()>& make);

}  // namespace fovea::onednn
