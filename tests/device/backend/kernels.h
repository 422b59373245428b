// Operators of the devices: each is carried out by the CPU's kernel, on the device's memory in place.

#pragma once

#include "runtime.h"

#include <ATen/EmptyTensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/enum_tag.h>
#include <ATen/core/stack.h>
#include <ATen/ops/copy_native.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/empty_strided.h>

#include <string_view>
#include <unordered_map>
#include <vector>

namespace pretend {

inline bool is_here(const at::Tensor& tensor) {
  return tensor.defined() && tensor.device().is_privateuseone();
}

inline bool is_number(const at::Tensor& tensor) {
  return tensor.unsafeGetTensorImpl()->is_wrapped_number();
}

// A tensor made of a Python number has no say in the type of a result.
inline void mark_number(const at::Tensor& tensor, const at::Tensor& like) {
  if (is_number(like)) {
    tensor.unsafeGetTensorImpl()->set_wrapped_number(true);
  }
}

// ---- Tensors of the host on the memory of a device -------------------------------------------------

// Tensors of the host in place of a device's. Those of one storage share one, as kernels look whether
// what they write overlaps what they read.
class HostViews {
 public:
  at::Tensor of(const at::Tensor& tensor) {
    auto& entry = find_or_add(tensor);
    auto result = at::detail::make_tensor<c10::TensorImpl>(
        c10::Storage(entry.host), c10::DispatchKeySet(c10::DispatchKey::CPU), tensor.dtype());
    auto* impl = result.unsafeGetTensorImpl();
    impl->set_sizes_and_strides(tensor.sizes(), tensor.strides(), tensor.storage_offset());
    mark_number(result, tensor);
    result._set_conj(tensor.is_conj());
    result._set_neg(tensor.is_neg());
    tensors_.push_back({result, tensor});
    return result;
  }

  // Give a device's tensor for a kernel's result: the argument itself, a view of one, or a copy.
  at::Tensor back(const at::Tensor& result, c10::DeviceIndex device) const {
    if (!result.defined() || is_here(result)) {
      return result;
    }
    for (const auto& [host, own] : tensors_) {
      if (host.is_same(result)) {
        return own;
      }
    }
    for (const auto& entry : storages_) {
      if (entry.host.unsafeGetStorageImpl() == result.storage().unsafeGetStorageImpl()) {
        return view(entry, result);
      }
    }
    return copied(result, device);
  }

  // Kernels with `out=` may have given a tensor other sizes, and then other memory.
  void take_over_sizes() const {
    for (const auto& [host, own] : tensors_) {
      auto* memory = own.storage().unsafeGetStorageImpl();
      if (host.storage().nbytes() > memory->nbytes()) {
        OnDevice guard(own.device().index());
        at::native::resize_bytes_cpu(memory, host.storage().nbytes());
        std::memcpy(memory->mutable_data(), host.storage().data(), memory->nbytes());
      }
      if (host.sizes() != own.sizes() || host.strides() != own.strides()) {
        own.unsafeGetTensorImpl()->set_sizes_and_strides(
            host.sizes(), host.strides(), host.storage_offset());
      }
    }
  }

 private:
  struct Entry {
    c10::Storage own;
    c10::Storage host;
    c10::DispatchKeySet keys;  // of the tensor that has it
  };
  struct Pair {
    at::Tensor host;
    at::Tensor own;
  };

  Entry& find_or_add(const at::Tensor& tensor) {
    const auto& own = tensor.storage();
    for (auto& entry : storages_) {
      if (entry.own.unsafeGetStorageImpl() == own.unsafeGetStorageImpl()) {
        return entry;
      }
    }
    auto* keep_alive = new c10::Storage(own);
    c10::DataPtr data(
        own.unsafeGetStorageImpl()->mutable_data(),
        keep_alive,
        [](void* storage) { delete static_cast<c10::Storage*>(storage); },
        c10::Device(c10::DeviceType::CPU));
    c10::Storage host(
        c10::Storage::use_byte_size_t(),
        own.nbytes(),
        std::move(data),
        c10::GetCPUAllocator(),
        /*resizable=*/true);
    storages_.push_back({own, std::move(host), tensor.key_set()});
    return storages_.back();
  }

  static at::Tensor view(const Entry& entry, const at::Tensor& like) {
    auto result = at::detail::make_tensor<c10::TensorImpl>(
        c10::TensorImpl::VIEW, c10::Storage(entry.own), entry.keys, like.dtype());
    result.unsafeGetTensorImpl()->set_sizes_and_strides(
        like.sizes(), like.strides(), like.storage_offset());
    return result;
  }

  static at::Tensor copied(const at::Tensor& result, c10::DeviceIndex device);

  std::vector<Entry> storages_;
  std::vector<Pair> tensors_;
};

inline at::Tensor on_host(const at::Tensor& tensor) {
  return is_here(tensor) ? HostViews().of(tensor) : tensor;
}

inline void copy_values(const at::Tensor& to, const at::Tensor& from) {
  at::Tensor target = on_host(to);
  at::native::copy_(target, on_host(from));  // past the dispatcher, which may be in any state by now
}

// ---- Creation and copies ---------------------------------------------------------------------------

inline c10::DeviceIndex index_of(std::optional<c10::Device> device) {
  return index_or_current(device ? device->index() : -1);
}

inline void refuse_pinned(std::optional<bool> pin_memory) {
  TORCH_CHECK(!pin_memory.value_or(false), "Only dense CPU tensors can be pinned");
}

inline c10::ScalarType type_or_default(std::optional<c10::ScalarType> dtype) {
  return dtype.value_or(c10::get_default_dtype_as_scalartype());
}

inline at::Tensor empty(
    c10::IntArrayRef sizes,
    std::optional<c10::ScalarType> dtype,
    std::optional<c10::Layout> /*layout*/,
    std::optional<c10::Device> device,
    std::optional<bool> pin_memory,
    std::optional<c10::MemoryFormat> format) {
  refuse_pinned(pin_memory);
  OnDevice guard(index_of(device));
  constexpr c10::DispatchKeySet keys(c10::DispatchKey::PrivateUse1);
  return at::detail::empty_generic(sizes, &device_memory(), keys, type_or_default(dtype), format);
}

inline at::Tensor empty_strided(
    c10::IntArrayRef sizes,
    c10::IntArrayRef strides,
    std::optional<c10::ScalarType> dtype,
    std::optional<c10::Layout> /*layout*/,
    std::optional<c10::Device> device,
    std::optional<bool> pin_memory) {
  refuse_pinned(pin_memory);
  OnDevice guard(index_of(device));
  constexpr c10::DispatchKeySet keys(c10::DispatchKey::PrivateUse1);
  return at::detail::empty_strided_generic(
      sizes, strides, &device_memory(), keys, type_or_default(dtype));
}

// A tensor of zeros without memory, which forward-mode derivatives use for "no tangent".
inline at::Tensor zero_tensor(const at::Tensor& like, c10::DeviceIndex device) {
  c10::Storage nothing(
      c10::Storage::use_byte_size_t(), 0, c10::DataPtr(nullptr, device_of(device)), nullptr, false);
  auto result = at::detail::make_tensor<c10::TensorImpl>(
      std::move(nothing),
      c10::DispatchKeySet({c10::DispatchKey::PrivateUse1, c10::DispatchKey::ZeroTensor}),
      like.dtype());
  result.unsafeGetTensorImpl()->set_sizes_and_strides(like.sizes(), like.strides());
  return result;
}

inline at::Tensor HostViews::copied(const at::Tensor& result, c10::DeviceIndex device) {
  if (result._is_zerotensor()) {
    return zero_tensor(result, device);
  }
  auto own = empty_strided(
      result.sizes(), result.strides(), result.scalar_type(), {}, device_of(device), {});
  copy_values(own, result);
  mark_number(own, result);
  return own;
}

inline bool is_pinned(const at::Tensor& tensor) {
  return pinned_memory().owns(tensor.storage().data());
}

inline at::Tensor snapshot(const at::Tensor& host) {
  auto result = at::detail::empty_strided_cpu(host.sizes(), host.strides(), host.scalar_type());
  at::Tensor copy(result);
  at::native::copy_(copy, host);
  return copy;
}

inline void copy_to_host(const at::Tensor& from, const at::Tensor& to, bool non_blocking) {
  const auto device = from.device().index();
  if (!non_blocking || !is_pinned(to)) {
    wait(Wait::ToHost, device);
    copy_values(to, from);
    return;
  }
  at::Tensor values = snapshot(to);
  copy_values(values, from);
  progress(device).defer([values, to] { copy_values(to, values); });
}

// The device reads pinned memory when it gets there: until then the host has to leave it as it is.
inline void copy_to_device(const at::Tensor& from, const at::Tensor& to, bool non_blocking) {
  const auto device = to.device().index();
  copy_values(to, from);
  if (!non_blocking || !is_pinned(from)) {
    wait(Wait::ToDevice, device);
    return;
  }
  const at::Tensor values = from.is_non_overlapping_and_dense() ? snapshot(from) : from;
  progress(device).defer([values, from] {
    TORCH_CHECK(
        std::memcmp(values.const_data_ptr(), from.const_data_ptr(), from.nbytes()) == 0,
        "pinned memory was written to before the device had read it");
  });
}

inline at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool non_blocking) {
  if (!is_here(to)) {
    copy_to_host(from, to, non_blocking);
  } else if (!is_here(from)) {
    copy_to_device(from, to, non_blocking);
  } else {
    copy_values(to, from);
    progress(to.device().index()).submit();
  }
  return to;
}

inline at::Tensor copy_from_and_resize(const at::Tensor& from, const at::Tensor& to) {
  to.resize_(from.sizes());
  return copy_from(from, to, false);
}

inline c10::Scalar local_scalar(const at::Tensor& tensor) {
  wait(Wait::Item, tensor.device().index());
  return on_host(tensor).item();
}

// ---- All other operators ---------------------------------------------------------------------------

// Operators whose CUDA kernels look at a result before they return: at a size or at an error.
inline std::optional<Wait> wait_of(std::string_view name) {
  static const std::unordered_map<std::string_view, Wait> all = {
      {"aten::nonzero", Wait::Nonzero},
      {"aten::masked_select", Wait::Mask},
      {"aten::_unique", Wait::Other},
      {"aten::_unique2", Wait::Other},
      {"aten::unique_dim", Wait::Other},
      {"aten::unique_consecutive", Wait::Other},
      {"aten::unique_dim_consecutive", Wait::Other},
      {"aten::equal", Wait::Other},
      {"aten::bincount", Wait::Other},
      {"aten::repeat_interleave", Wait::Other},
      {"aten::_linalg_eigh", Wait::Other},
      {"aten::_linalg_svd", Wait::Other},
      {"aten::linalg_eig", Wait::Other},
      {"aten::linalg_lstsq", Wait::Other},
  };
  const auto found = all.find(name);
  return found == all.end() ? std::nullopt : std::optional<Wait>(found->second);
}

inline bool takes_indices(std::string_view name) {
  return name == "aten::index" || name == "aten::index_put" || name == "aten::index_put_" ||
      name == "aten::_index_put_impl_" || name == "aten::_unsafe_index" ||
      name == "aten::_unsafe_index_put";
}

// Operators for which CUDA accepts a single number of the host though they do not work element by
// element.
inline bool takes_a_number(std::string_view name) {
  return takes_indices(name) || name == "aten::fill_" || name == "aten::fill" ||
      name == "aten::index_fill_" || name == "aten::index_fill" || name == "aten::masked_fill_" ||
      name == "aten::masked_fill";
}

// One call of an operator, from the arguments on the stack to the results there.
class Call {
 public:
  Call(const c10::OperatorHandle& op, torch::jit::Stack& stack)
      : op_(op),
        stack_(stack),
        name_(op.schema().name()),
        first_(stack.size() - op.schema().arguments().size()) {}

  void run() {
    find_device();
    refuse_mixtures();
    count_waits();
    replace_arguments();
    op_.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), &stack_);
    views_.take_over_sizes();
    replace_results();
    progress(device_.index()).submit();
  }

 private:
  // Call a function with each tensor among the arguments, its argument's number, and whether it is one
  // of a list.
  template <class Function>
  void for_each_tensor(Function function) const {
    for (size_t i = first_; i < stack_.size(); ++i) {
      const auto& value = stack_[i];
      if (value.isTensor()) {
        function(value.toTensor(), i - first_, false);
      } else if (value.isTensorList()) {
        for (const at::Tensor& tensor : value.toTensorList()) {
          function(tensor, i - first_, true);
        }
      } else if (value.isOptionalTensorList()) {
        for (const std::optional<at::Tensor>& tensor : value.toOptionalTensorList()) {
          function(tensor.value_or(at::Tensor()), i - first_, true);
        }
      }
    }
  }

  // The device is that of the first tensor on one; without such, the argument that says where.
  void find_device() {
    bool found = false;
    for_each_tensor([&](const at::Tensor& tensor, size_t, bool) {
      if (!found && is_here(tensor)) {
        device_ = tensor.device();
        found = true;
      }
    });
    has_tensors_ = found;
    for (size_t i = first_; !found && i < stack_.size(); ++i) {
      if (stack_[i].isDevice()) {
        const auto wanted = stack_[i].toDevice();
        device_ = wanted.is_privateuseone() ? device_of(index_of(wanted)) : wanted;
        found = true;
      }
    }
    if (!found) {
      device_ = device_of(current_device());
    }
  }

  void refuse_mixtures() const {
    const auto& arguments = op_.schema().arguments();
    const bool numbers_allowed = op_.hasTag(at::Tag::pointwise) || takes_a_number(name_);
    for_each_tensor([&](const at::Tensor& tensor, size_t argument, bool in_list) {
      if (!tensor.defined() || !has_tensors_ || tensor.device() == device_) {
        return;
      }
      const auto* alias = arguments[argument].alias_info();
      const bool written = alias != nullptr && alias->isWrite();
      const bool number = tensor.is_cpu() && tensor.dim() == 0 && !written;
      const bool index = tensor.is_cpu() && in_list && takes_indices(name_);
      TORCH_CHECK(
          index || (number && numbers_allowed) || is_number(tensor),
          "Expected all tensors to be on the same device, but found at least two devices, ",
          device_, " and ", tensor.device(), "! (in ", name_, ")");
    });
    for (size_t i = first_; i < stack_.size(); ++i) {
      if (stack_[i].isGenerator()) {
        const auto generator = stack_[i].toGenerator();
        const auto wanted = has_tensors_ || (device_.is_privateuseone() && !has_host_tensors())
            ? c10::DeviceType::PrivateUse1
            : c10::DeviceType::CPU;
        TORCH_CHECK(
            !generator.defined() || generator.device().type() == wanted,
            "Expected a '", wanted, "' device type for generator but found '",
            generator.device().type(), "'");
      }
    }
  }

  bool has_host_tensors() const {
    bool found = false;
    for_each_tensor([&](const at::Tensor& tensor, size_t, bool) {
      found = found || (tensor.defined() && tensor.is_cpu());
    });
    return found;
  }

  void count_waits() const {
    if (const auto kind = wait_of(name_)) {
      wait(*kind, device_.index());
    }
    if (!takes_indices(name_)) {
      return;
    }
    for_each_tensor([&](const at::Tensor& tensor, size_t, bool in_list) {
      if (!tensor.defined()) {
        return;
      }
      const bool mask = tensor.scalar_type() == at::kBool || tensor.scalar_type() == at::kByte;
      if (tensor.is_cpu()) {
        wait(Wait::ToDevice, device_.index());  // CUDA copies indices and values of the host first
      } else if (in_list && mask) {
        wait(Wait::Mask, device_.index());
      }
    });
  }

  void replace_arguments() {
    const auto& arguments = op_.schema().arguments();
    for (size_t i = first_; i < stack_.size(); ++i) {
      auto& value = stack_[i];
      if (value.isTensor()) {
        value = host(value.toTensor());
      } else if (value.isTensorList()) {
        c10::List<at::Tensor> list;
        for (const at::Tensor& tensor : value.toTensorList()) {
          list.push_back(host(tensor));
        }
        value = list;
      } else if (value.isOptionalTensorList()) {
        c10::List<std::optional<at::Tensor>> list;
        for (const std::optional<at::Tensor>& tensor : value.toOptionalTensorList()) {
          list.push_back(tensor ? std::optional<at::Tensor>(host(*tensor)) : std::nullopt);
        }
        value = list;
      } else if (value.isDevice()) {
        value = c10::Device(c10::DeviceType::CPU);
      } else if (is_generator(arguments[i - first_])) {
        const auto given = value.isGenerator() ? value.toGenerator() : at::Generator();
        value = (given.defined() ? given : default_generator(device_.index()))
                    .get<DeviceGenerator>()
                    ->of_host();
      }
    }
  }

  static bool is_generator(const c10::Argument& argument) {
    auto type = argument.type();
    if (auto optional = type->cast<c10::OptionalType>()) {
      type = optional->getElementType();
    }
    return type->kind() == c10::TypeKind::GeneratorType;
  }

  at::Tensor host(const at::Tensor& tensor) {
    return is_here(tensor) ? views_.of(tensor) : tensor;
  }

  void replace_results() {
    const auto count = op_.schema().returns().size();
    for (size_t i = stack_.size() - count; i < stack_.size(); ++i) {
      auto& value = stack_[i];
      if (value.isTensor()) {
        value = views_.back(value.toTensor(), device_.index());
      } else if (value.isTensorList()) {
        c10::List<at::Tensor> list;
        for (const at::Tensor& tensor : value.toTensorList()) {
          list.push_back(views_.back(tensor, device_.index()));
        }
        value = list;
      }
    }
  }

  const c10::OperatorHandle& op_;
  torch::jit::Stack& stack_;
  const std::string& name_;
  size_t first_;
  HostViews views_;
  c10::Device device_ = device_of(0);
  bool has_tensors_ = false;
};

inline void run_on_host(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  at::AutoDispatchBelowADInplaceOrView below_autograd;
  Call(op, *stack).run();
}

}  // namespace pretend
