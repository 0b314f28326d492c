#include "fovea/kernels/onednn/engine.h"

#include "fovea/core/error.h"
#include "fovea/kernels/rules.h"

namespace fovea::onednn {

using dnnl::memory;

bool has(dnnl::cpu_isa wanted) {
  limit_instruction_set();
  static const auto best = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto bits = static_cast<unsigned>(wanted);  // those of all sets that it includes
  return (best & bits) == bits;
}

const dnnl::engine& engine() {
  static const dnnl::engine cpu = [] {
    limit_instruction_set();
    // Programs hold the primitives they need. The library's own cache of 1024 would keep those of
    // every image size seen: up to about 250 MB.
    dnnl::set_primitive_cache_capacity(64);
    return dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return cpu;
}

dnnl::stream& stream() {
  thread_local dnnl::stream own(engine());
  return own;
}

memory::desc descriptor(const Type& type) {
  using Tag = memory::format_tag;
  constexpr Tag tags[3][6] = {
      {Tag::undef, Tag::a, Tag::ab, Tag::abc, Tag::abcd, Tag::abcde},
      {Tag::undef, Tag::a, Tag::ab, Tag::acb, Tag::acdb, Tag::acdeb},
      {Tag::undef, Tag::undef, Tag::undef, Tag::aBc16b, Tag::aBcd16b, Tag::aBcde16b},
  };
  require(type.rank() >= 1 && type.rank() <= 5,
          "onednn: a value of rank " + std::to_string(type.rank()));
  const memory::dims dims(type.shape.begin(), type.shape.end());
  return {dims, data_type(type.dtype), tags[static_cast<int>(type.layout)][type.rank()]};
}

memory::data_type data_type(DType dtype) {
  return dtype == DType::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
}

memory::desc plain_descriptor(const memory::dims& dims, DType dtype) {
  memory::dims strides(dims.size(), 1);
  for (size_t i = dims.size() - 1; i-- > 0;) strides[i] = strides[i + 1] * dims[i + 1];
  return {dims, data_type(dtype), strides};
}

memory wrap(const memory::desc& desc, const void* data) {
  return {desc, engine(), const_cast<void*>(data)};
}

void execute(const dnnl::primitive& primitive, std::initializer_list<std::pair<int, memory>> args) {
  std::unordered_map<int, memory> map(args.size());
  for (const auto& [key, value] : args) {
    if (value) map.emplace(key, value);
  }
  primitive.execute(stream(), map);
}

dnnl::primitive_attr attributes() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

std::string refuse(const Problem& problem) {
  const bool avx512 = has(dnnl::cpu_isa::avx512_core);
  for (const Types* types : {&problem.in, &problem.out}) {
    for (const Type& type : *types) {
      if (type.dtype != DType::f32 && type.dtype != DType::bf16) return "only f32 and bf16";
      if (type.dtype == DType::bf16 && !avx512) return "bf16 needs AVX-512";
      if (type.numel() == 0) return "nothing to compute for empty values";
      if (type.rank() < 1 || type.rank() > 5) return "only rank 1 to 5";
    }
  }
  return {};
}

std::string refuse_products(const Problem& problem) {
  if (problem.in[0].dtype != DType::bf16 || bf16_speedup() > 1) return {};
  return "this CPU multiplies bf16 slower than f32";
}

bool is_reference(const std::string& implementation) {
  return implementation.find("ref") != std::string::npos;
}

Offer offer(const Problem& problem, const std::function<Offer()>& make) {
  if (std::string why = refuse(problem); !why.empty()) return Refusal{why};
  try {
    return make();
  } catch (const dnnl::error& e) {
    return Refusal{std::string("oneDNN: ") + e.what()};
  }
}

}  // namespace fovea::onednn

namespace fovea {

bool has_tiles() { return onednn::has(dnnl::cpu_isa::avx512_core_amx); }

double bf16_speedup() {
  const bool dot_products = onednn::has(dnnl::cpu_isa::avx512_core_bf16) && __builtin_cpu_is("amd");
  return has_tiles() ? 16 : dot_products ? 2 : 1;
}

double bf16_speedup_of_weights(int64_t taps, int64_t positions) {
  if (!has_tiles()) return bf16_speedup();
  const auto n = static_cast<double>(positions);
  return taps == 1 ? 1.7 / (1 + 190 / n) : 3.2 / (1 + 124 / n);
}

bool limit_onednn(InstructionSet maximum) {
  constexpr dnnl::cpu_isa sets[] = {dnnl::cpu_isa::sse41, dnnl::cpu_isa::avx2,
                                    dnnl::cpu_isa::avx512_core};
  return dnnl::set_max_cpu_isa(sets[static_cast<int>(maximum)]) == dnnl::status::success;
}

}  // namespace fovea
