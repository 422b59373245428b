// A make-believe accelerator for tests: what torch knows as PrivateUse1, registered when this library
// is loaded. tests/device/pretend.py gives it its name and its module.

#include "kernels.h"

#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/resize_native.h>
#include <ATen/ops/set_native.h>
#include <ATen/ops/view_native.h>
#include <torch/library.h>

namespace pretend {
namespace {

REGISTER_ALLOCATOR(c10::DeviceType::PrivateUse1, &device_memory());
C10_REGISTER_GUARD_IMPL(PrivateUse1, DeviceGuard);

const bool hooks_registered = [] {
  at::RegisterPrivateUse1HooksInterface(new Hooks);
  return true;
}();

// Torch's own kernels of these allocate by the storage's allocator, which asks for the current device.

const at::Tensor& resize(
    const at::Tensor& self, c10::IntArrayRef sizes, std::optional<c10::MemoryFormat> format) {
  OnDevice guard(self.device().index());
  return at::native::resize_(self, sizes, format);
}

at::Tensor& set_all(
    at::Tensor& self,
    c10::Storage source,
    int64_t offset,
    c10::IntArrayRef sizes,
    c10::IntArrayRef strides) {
  OnDevice guard(self.device().index());
  return at::native::set_storage_cpu_(self, std::move(source), offset, sizes, strides);
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", &empty);
  library.impl("empty_strided", &empty_strided);
  library.impl("_copy_from", &copy_from);
  library.impl("_copy_from_and_resize", &copy_from_and_resize);
  library.impl("_local_scalar_dense", &local_scalar);
  library.impl("resize_", &resize);
  library.impl("set_.source_Storage_storage_offset", &set_all);
  library.impl("set_.source_Storage", [](at::Tensor& self, c10::Storage source) -> at::Tensor& {
    return at::native::set_(self, std::move(source));
  });
  library.impl("set_.source_Tensor", &at::native::set_tensor_);
  library.impl("as_strided", &at::native::as_strided_tensorimpl);
  library.impl("view", &at::native::view);
  library.impl("_reshape_alias", &at::native::_reshape_alias);
  // Torch would expand masks before it comes here, and count as reading them twice.
  library.impl("index.Tensor", torch::CppFunction::makeFromBoxedFunction<&run_on_host>());
}

// Copies resolve conjugation and sign themselves; torch would copy first, without end.
TORCH_LIBRARY_IMPL(aten, Conjugate, library) {
  library.impl("_copy_from", torch::CppFunction::makeFallthrough());
}

TORCH_LIBRARY_IMPL(aten, Negative, library) {
  library.impl("_copy_from", torch::CppFunction::makeFallthrough());
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&run_on_host>());
}

// ---- What the Python module asks for ---------------------------------------------------------------

c10::Dict<std::string, int64_t> counted() {
  c10::Dict<std::string, int64_t> result;
  for (size_t i = 0; i < kWaits.size(); ++i) {
    result.insert(kWaits[i], waits().counts[i]);
  }
  return result;
}

// `address` is that of a C function which is called with the kind of each wait; 0 for none.
void listen(int64_t address) {
  waits().listener = reinterpret_cast<Listener>(address);
}

Usage usage_of(int64_t device) {
  return device_memory().usage(index_or_current(device));
}

TORCH_LIBRARY(pretend, library) {
  library.def("waits() -> Dict(str, int)", &counted);
  library.def("listen(int address) -> ()", &listen);
  library.def("submitted(int device) -> int", [](int64_t device) {
    return progress(index_or_current(device)).submitted();
  });
  library.def("default_generator(int device) -> Generator?", [](int64_t device) {
    return default_generator(index_or_current(device));
  });
  library.def("memory(int device) -> int[]", [](int64_t device) {
    const auto usage = usage_of(device);
    return std::vector<int64_t>{
        int64_t(usage.allocated), int64_t(usage.reserved), int64_t(usage.total)};
  });
  library.def("set_total_memory(int device, int bytes) -> ()", [](int64_t device, int64_t bytes) {
    device_memory().set_total(index_or_current(device), bytes);
  });
  library.def("empty_cache(int device) -> ()", [](int64_t device) {
    device_memory().empty_cache(index_or_current(device));
  });
}

}  // namespace
}  // namespace pretend
