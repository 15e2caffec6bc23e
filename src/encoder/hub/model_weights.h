// The weights of a model hub directory, with an adapter merged in as they are read: model.safetensors, or
// the files that model.safetensors.index.json lists.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "encoder/lora.h"
#include "encoder/mapped_file.h"
#include "encoder/safetensors.h"
#include "tensor/linear.h"

namespace signalbox::encoder {

// Rows of a [rows, columns] matrix as floats, its update applied.
class MatrixRows {
 public:
  // Errors: kCorrupt (out of range, dtype).
  Result<void> read(std::uint64_t row, std::span<float> out) const;

 private:
  friend class ModelWeights;
  const Tensor* base_ = nullptr;
  const Tensor* b_ = nullptr;  // of the update; null: none
  std::vector<float> a_;       // [rank][columns], scaled
};

class ModelWeights {
 public:
  // Errors: kIo, kCorrupt. Cost: the headers only.
  static Result<ModelWeights> open(const std::string& directory);
  // Weights of one file in memory, which is borrowed.
  static Result<ModelWeights> parse(std::span<const std::byte> file);
  // Merges an adapter, which is kept; call before anything is read. Errors: kCorrupt (an update or a
  // module that the model does not have).
  Result<void> merge(LoraAdapter adapter);

  // All names are plain (plain_tensor_name).
  bool has(const std::string& name) const { return tensors_.contains(name); }
  // The shape of a tensor; empty when there is none.
  std::vector<std::uint64_t> shape(const std::string& name) const;
  Result<std::vector<float>> floats(const std::string& name,
                                    std::span<const std::uint64_t> shape) const;
  // A vector, or `otherwise` in each element when the model has none of that name.
  Result<std::vector<float>> vector_or(const std::string& name, std::uint64_t count,
                                       float otherwise) const;
  // Errors: kCorrupt (missing, of another shape, or of a dtype that is not a float).
  Result<MatrixRows> matrix(const std::string& module, std::uint64_t rows,
                            std::uint64_t columns) const;

  // Rows [first, first + count) of `rows` of a module's matrix, and its bias if there is one, times
  // `factor`; they become outputs [output, ..) of a layer.
  struct Part {
    std::string module;
    std::uint64_t rows = 0;
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    std::size_t output = 0;
    float factor = 1;
  };
  // A layer of `depth` inputs made of parts. Memory is taken only once all parts are there in the right
  // shape.
  Result<tensor::Linear> linear(const tensor::Kernels& kernels, std::size_t depth,
                                std::span<const Part> parts) const;
  // The whole matrix of a module.
  Result<tensor::Linear> linear(const tensor::Kernels& kernels, const std::string& module,
                                std::size_t depth, std::size_t outputs) const;
  void release_pages() const;

 private:
  Result<void> add_file(const std::string& path);
  Result<void> add_tensors(std::span<const std::byte> bytes);
  Result<void> check_update(const std::string& module, const LoraUpdate& update) const;

  std::vector<MappedFile> files_;
  std::vector<Safetensors> parsed_;
  std::optional<LoraAdapter> adapter_;
  std::map<std::string, const Tensor*> tensors_;  // into parsed_ and adapter_
};

}  // namespace signalbox::encoder
