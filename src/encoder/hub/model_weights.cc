#include "encoder/hub/model_weights.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/limits.h"
#include "json/document.h"

namespace signalbox::encoder {
namespace {

// The files of a model that is stored in several. Names only: a path could lead anywhere.
Result<std::set<std::string>> read_index(const std::string& path) {
  SBX_TRY(const auto text, read_file(path, limits::kModelHeaderBytesMax));
  const auto document = json::Document::parse(text);
  if (!document) return fail(Code::kCorrupt, path + ": " + document.error().message);
  const auto map = document->root().find("weight_map");
  if (!map || !*map || !(*map)->is_object()) return fail(Code::kCorrupt, path + ": no weight_map");
  std::set<std::string> names;
  for (const auto& entry : (*map)->member_range()) {
    std::string name = entry.value.string();
    if (name.empty() || name.find('/') != std::string::npos || name.front() == '.')
      return fail(Code::kCorrupt, path + ": a file name that is not plain");
    names.insert(std::move(name));
    if (names.size() > limits::kModelFilesMax)
      return fail(Code::kCorrupt, path + ": too many files");
  }
  return names;
}

}  // namespace

Result<void> MatrixRows::read(std::uint64_t row, std::span<float> out) const {
  SBX_CHECK_OK(base_->read(row * out.size(), out));
  if (b_ == nullptr) return {};
  const std::size_t rank = b_->shape[1];
  std::vector<float> factors(rank);
  SBX_CHECK_OK(b_->read(row * rank, factors));
  for (std::size_t k = 0; k < rank; ++k) {
    const float* a = &a_[k * out.size()];
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += factors[k] * a[i];
  }
  return {};
}

Result<ModelWeights> ModelWeights::open(const std::string& directory) {
  ModelWeights weights;
  const std::string index = directory + "/model.safetensors.index.json";
  std::error_code ignored;
  if (std::filesystem::exists(directory + "/model.safetensors", ignored) ||
      !std::filesystem::exists(index, ignored)) {
    SBX_CHECK_OK(weights.add_file(directory + "/model.safetensors"));
    return weights;
  }
  SBX_TRY(const auto names, read_index(index));
  for (const std::string& name : names) SBX_CHECK_OK(weights.add_file(directory + "/" + name));
  return weights;
}

Result<ModelWeights> ModelWeights::parse(std::span<const std::byte> file) {
  ModelWeights weights;
  SBX_CHECK_OK(weights.add_tensors(file));
  return weights;
}

Result<void> ModelWeights::add_file(const std::string& path) {
  SBX_TRY(auto file, MappedFile::open(path, limits::kModelFileBytesMax));
  const auto added = add_tensors(file.bytes());
  if (!added) return fail(added.error().code, path + ": " + added.error().message);
  files_.push_back(std::move(file));
  return {};
}

Result<void> ModelWeights::add_tensors(std::span<const std::byte> bytes) {
  SBX_TRY(auto parsed, Safetensors::parse(bytes));
  parsed_.push_back(std::move(parsed));  // its tensors are nodes of a map: they stay where they are
  for (const auto& [name, tensor] : parsed_.back().tensors()) {
    if (!tensors_.emplace(plain_tensor_name(name), &tensor).second)
      return fail(Code::kCorrupt, "tensor " + name + " occurs twice");
  }
  return {};
}

Result<void> ModelWeights::check_update(const std::string& module, const LoraUpdate& update) const {
  const auto base = tensors_.find(module + ".weight");
  if (base == tensors_.end())
    return fail(Code::kCorrupt,
                "the adapter updates " + module + ", which the model does not have");
  const auto& shape = base->second->shape;
  if (shape.size() != 2 || update.b->shape[0] != shape[0] || update.a->shape[1] != shape[1])
    return fail(Code::kCorrupt, "the adapter's update of " + module + " has another shape");
  return {};
}

Result<void> ModelWeights::merge(LoraAdapter adapter) {
  adapter_ = std::move(adapter);
  for (const auto& [name, tensor] : adapter_->replaced()) tensors_[name] = tensor;
  for (const auto& [module, update] : adapter_->updates())
    SBX_CHECK_OK(check_update(module, update));
  return {};
}

std::vector<std::uint64_t> ModelWeights::shape(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? std::vector<std::uint64_t>{} : found->second->shape;
}

Result<std::vector<float>> ModelWeights::floats(const std::string& name,
                                                std::span<const std::uint64_t> shape) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return fail(Code::kCorrupt, "tensor " + name + " is missing");
  if (!std::ranges::equal(found->second->shape, shape)) {
    return fail(Code::kCorrupt,
                "tensor " + name + " does not have the shape that the configuration says");
  }
  const Tensor& tensor = *found->second;
  if (tensor.dtype != Dtype::kF32 && tensor.dtype != Dtype::kF16 && tensor.dtype != Dtype::kBf16)
    return fail(Code::kCorrupt, "tensor " + name + " does not hold F32, F16 or BF16");
  std::vector<float> values(tensor.count());
  SBX_CHECK_OK(tensor.read(0, values));
  return values;
}

Result<std::vector<float>> ModelWeights::vector_or(const std::string& name, std::uint64_t count,
                                                   float otherwise) const {
  const std::array<std::uint64_t, 1> shape{count};
  if (has(name)) return floats(name, shape);
  return std::vector<float>(count, otherwise);
}

Result<MatrixRows> ModelWeights::matrix(const std::string& module, std::uint64_t rows,
                                        std::uint64_t columns) const {
  const std::string name = module + ".weight";
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return fail(Code::kCorrupt, "tensor " + name + " is missing");
  const Tensor& tensor = *found->second;
  const std::array<std::uint64_t, 2> wanted{rows, columns};
  if (!std::ranges::equal(tensor.shape, wanted)) {
    return fail(Code::kCorrupt,
                "tensor " + name + " does not have the shape that the configuration says");
  }
  MatrixRows matrix;
  matrix.base_ = &tensor;
  std::vector<float> probe(1);
  SBX_CHECK_OK(tensor.read(0, probe));  // a dtype that rows can be read from
  if (!adapter_) return matrix;
  const auto update = adapter_->updates().find(module);
  if (update == adapter_->updates().end()) return matrix;
  matrix.b_ = update->second.b;
  SBX_CHECK_OK(matrix.b_->read(0, probe));
  matrix.a_.resize(update->second.a->count());
  SBX_CHECK_OK(update->second.a->read(0, matrix.a_));
  for (float& value : matrix.a_) value *= update->second.scale;
  return matrix;
}

Result<tensor::Linear> ModelWeights::linear(const tensor::Kernels& kernels, std::size_t depth,
                                            std::span<const Part> parts) const {
  std::vector<MatrixRows> matrices;
  std::vector<std::vector<float>> biases;
  std::size_t outputs = 0;
  for (const Part& part : parts) {
    SBX_TRY(MatrixRows rows, matrix(part.module, part.rows, depth));
    matrices.push_back(std::move(rows));
    SBX_TRY(auto bias, vector_or(part.module + ".bias", part.rows, 0.0f));
    biases.push_back(std::move(bias));
    outputs = std::max<std::size_t>(outputs, part.output + part.count);
  }
  tensor::Linear layer(kernels, depth, outputs);
  std::vector<float> row(depth);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Part& part = parts[i];
    for (std::size_t k = 0; k < part.count; ++k) {
      SBX_CHECK_OK(matrices[i].read(part.first + k, row));
      layer.set_output(part.output + k, row.data(), biases[i][part.first + k], part.factor);
    }
  }
  return layer;
}

Result<tensor::Linear> ModelWeights::linear(const tensor::Kernels& kernels,
                                            const std::string& module, std::size_t depth,
                                            std::size_t outputs) const {
  const std::array<Part, 1> whole{
      Part{.module = module, .rows = outputs, .first = 0, .count = outputs, .output = 0}};
  return linear(kernels, depth, whole);
}

void ModelWeights::release_pages() const {
  for (const MappedFile& file : files_) file.release_pages();
}

}  // namespace signalbox::encoder
