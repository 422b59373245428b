// Random numbers of the devices.

#pragma once

#include "memory.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/core/Generator.h>

namespace pretend {

// A generator of a device; the numbers come from one of the CPU's that it keeps to itself.
class DeviceGenerator final : public c10::GeneratorImpl {
 public:
  explicit DeviceGenerator(c10::DeviceIndex index)
      : DeviceGenerator(index, at::detail::createCPUGenerator()) {}

  // The generator that kernels, which run on the CPU, can draw from.
  const at::Generator& of_host() const { return host_; }

  void set_current_seed(uint64_t seed) override { host_.set_current_seed(seed); }
  uint64_t current_seed() const override { return host_.current_seed(); }
  uint64_t seed() override { return host_.seed(); }
  void set_offset(uint64_t offset) override { host_.set_offset(offset); }
  uint64_t get_offset() const override { return host_.get_offset(); }

  // States are one byte longer than the CPU's, so that one kind is refused where the other is wanted.
  c10::intrusive_ptr<c10::TensorImpl> get_state() const override {
    const at::Tensor state = host_.get_state();
    at::Tensor result = at::detail::empty_cpu({state.numel() + 1}, at::kByte);
    std::memcpy(result.mutable_data_ptr(), state.const_data_ptr(), state.numel());
    static_cast<uint8_t*>(result.mutable_data_ptr())[state.numel()] = 1;
    return result.getIntrusivePtr();
  }

  void set_state(const c10::TensorImpl& state) override {
    const auto bytes = host_.get_state().numel();
    TORCH_CHECK_TYPE(
        state.device().is_cpu() && state.dtype() == caffe2::TypeMeta::Make<uint8_t>(),
        "RNG state must be a torch.ByteTensor");
    TORCH_CHECK(state.numel() == bytes + 1, "RNG state is wrong size");
    at::Tensor inner = at::detail::empty_cpu({bytes}, at::kByte);
    std::memcpy(inner.mutable_data_ptr(), state.data(), bytes);
    host_.set_state(inner);
  }

 private:
  DeviceGenerator(c10::DeviceIndex index, at::Generator host)
      : GeneratorImpl(device_of(index), c10::DispatchKeySet(c10::DispatchKey::PrivateUse1)),
        host_(std::move(host)) {}

  DeviceGenerator* clone_impl() const override {
    return new DeviceGenerator(device_.index(), host_.clone());
  }

  at::Generator host_;
};

inline c10::DeviceIndex index_or_current(int64_t index) {
  if (index < 0) {
    return current_device();
  }
  check_index(index);
  return static_cast<c10::DeviceIndex>(index);
}

inline const at::Generator& default_generator(c10::DeviceIndex index) {
  static auto* all = new std::array<at::Generator, kDevices>{
      at::make_generator<DeviceGenerator>(0), at::make_generator<DeviceGenerator>(1)};
  return all->at(index_or_current(index));
}

}  // namespace pretend
