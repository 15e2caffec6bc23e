#include "config/watch.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace signalbox::config {
namespace {

namespace fs = std::filesystem;

class WatcherTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "signalbox-watch-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  void TearDown() override { fs::remove_all(folder_); }
  void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  fs::path folder_;
};

TEST_F(WatcherTest, UnchangedFileIsNoChange) {
  write(folder_ / "a.yaml", "one");
  Watcher watcher((folder_ / "a.yaml").string());
  EXPECT_FALSE(watcher.changed());
}

TEST_F(WatcherTest, RewrittenFileIsSeenOnce) {
  write(folder_ / "a.yaml", "one");
  Watcher watcher((folder_ / "a.yaml").string());
  write(folder_ / "a.yaml", "three");
  EXPECT_TRUE(watcher.changed());
  EXPECT_FALSE(watcher.changed());
}

TEST_F(WatcherTest, SymlinkSwapOfAConfigMapIsSeen) {
  fs::create_directory(folder_ / "v1");
  fs::create_directory(folder_ / "v2");
  write(folder_ / "v1" / "config.yaml", "same");
  write(folder_ / "v2" / "config.yaml", "same");
  fs::create_symlink(folder_ / "v1", folder_ / "..data");
  fs::create_symlink(fs::path("..data") / "config.yaml", folder_ / "config.yaml");
  Watcher watcher((folder_ / "config.yaml").string());
  fs::create_symlink(folder_ / "v2", folder_ / "..data_tmp");
  fs::rename(folder_ / "..data_tmp", folder_ / "..data");
  EXPECT_TRUE(watcher.changed());
}

TEST_F(WatcherTest, FileThatVanishesAndReturnsIsOneChange) {
  write(folder_ / "a.yaml", "one");
  Watcher watcher((folder_ / "a.yaml").string());
  fs::remove(folder_ / "a.yaml");
  EXPECT_FALSE(watcher.changed());
  write(folder_ / "a.yaml", "another");
  EXPECT_TRUE(watcher.changed());
}

}  // namespace
}  // namespace signalbox::config
