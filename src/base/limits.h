// Every bound in one place. Each queue, buffer, batch and retry of the program is limited by a constant of this file or
// by a configuration key whose default is one. docs/limits.md is written from this file (./dev lint --fix). Sizes are
// bytes, counts plain.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace signalbox::limits {

// HTTP, client side. 64 KiB heads pass the largest cookies seen behind identity proxies.
inline constexpr std::size_t kHeadBytesMax = 64 << 10;
inline constexpr std::size_t kHeaderCountMax = 128;
inline constexpr std::size_t kBodyBytesMax = 64
                                             << 20;  // default of signalbox.limits.body_bytes_max
inline constexpr std::size_t kConnectionsMax =
    16384;  // default of signalbox.limits.connections_max
inline constexpr std::size_t kRelayBufferBytes = 32 << 10;  // one read of a relayed body
// Of a connection that has not filled it yet: a head, a small body, some tokens of a stream.
inline constexpr std::size_t kFirstReadBufferBytes = 4 << 10;
inline constexpr std::size_t kChunkLineBytesMax = 1 << 10;  // chunk-size line with extensions
inline constexpr std::size_t kTrailerBytesMax = 16 << 10;
inline constexpr std::size_t kReadBufferBytesMax =
    2 * kHeadBytesMax;  // one connection; a head and a read more
// Memory reserved on the word of a Content-Length alone; bodies grow past it as they arrive.
inline constexpr std::size_t kBodyReserveBytesMax = 1 << 20;
// Forms of audio and file uploads: OpenAI's largest has about ten fields.
inline constexpr std::size_t kFormPartsMax = 128;
inline constexpr std::size_t kFormPartHeadBytesMax = 8 << 10;
// Answers to our own requests: health checks, metric scrapes of engines with many models, trace exports.
inline constexpr std::size_t kFetchBodyBytesMax = 4 << 20;
// ExtProc. Envoy sends a buffered body as one message, so one must hold a body over the limit too: it is told 413.
inline constexpr std::size_t kExtProcMessageBytesMax =
    160 << 20;  // default of signalbox.extproc.message_bytes_max
inline constexpr std::size_t kExtProcStreamsMax = 16384;  // requests under way, of all cores
// One message of a body that is sent in pieces; Envoy holds up to its own buffer limit of them.
inline constexpr std::size_t kExtProcPieceBytes = 64 << 10;
// Body seen while Envoy still waits for our word on the headers; its own buffer limit, 1 MiB by default, must not stop it.
inline constexpr std::size_t kExtProcHeldBytesMax = 512 << 10;
// What one Signalbox hands on to the next, as a header; block names of longer prompts are left out.
inline constexpr std::size_t kHandedOnBytesMax = 8 << 10;
inline constexpr std::size_t kHandedOnBlocksMax = 256;
// JSON.
inline constexpr std::size_t kJsonDepthMax = 128;
inline constexpr std::size_t kJsonNodesMax = 4 << 20;
// SSE: one event of an LLM stream is some hundred bytes; tool-call arguments may reach some 100 KiB.
inline constexpr std::size_t kSseFrameBytesMax = 1 << 20;
// Non-streaming responses are scanned for usage up to here; past it they are relayed unread.
inline constexpr std::size_t kResponseScanBytesMax = 8 << 20;
// Configuration.
inline constexpr std::size_t kConfigBytesMax = 8 << 20;
inline constexpr std::size_t kConfigDepthMax = 64;
inline constexpr std::size_t kConfigNodesMax = 200'000;  // after alias expansion (YAML bombs)
inline constexpr std::size_t kConfigKeyBytesMax = 1 << 10;
inline constexpr std::size_t kConfigProblemsMax = 50;    // problems listed in one load error
inline constexpr std::size_t kConfigFindingsMax = 1000;  // findings kept for one file
inline constexpr int kCheckStepsMax = 1'000'000;         // comparisons of rules by `check`
// Rules and signals.
inline constexpr std::size_t kRuleDepthMax =
    64;  // nesting of AND, OR, NOT; as deep as the YAML may be
inline constexpr std::size_t kKeywordsMax = 100'000;  // of all keyword rules; compile about 0.2 s
inline constexpr std::size_t kKeywordBytesMax = 1 << 10;  // one keyword or phrase
inline constexpr std::size_t kPatternBytesMax = 4 << 10;  // one regular expression
inline constexpr int kRegexProgramMax = 20'000;  // RE2 instructions after expansion of {n,m}
inline constexpr int kRegexBytesMax = 16 << 20;  // RE2's own memory bound per pattern
// Counting matches costs a search each: this many searches over this much text stay under 0.3 s even for a pattern
// that reads on to the end each time.
inline constexpr std::size_t kStructureMatchesMax = 1000;
inline constexpr std::size_t kStructureBytesMax = 256 << 10;
inline constexpr std::size_t kLanguageLettersMax =
    1024;  // letters judged; more adds nothing to accuracy
// Upstream.
inline constexpr int kAttemptsMax = 6;  // the first and five retries, as many as retry_count allows
inline constexpr std::size_t kIdleConnectionsPerEndpointMax = 256;  // per core
inline constexpr int kEjectionGrowthMax = 16;          // longest ejection over the first one
inline constexpr std::size_t kServedModelsMax = 4096;  // models and adapters believed of one engine
inline constexpr std::size_t kServedModelsBytesMax = 1 << 20;  // body of an engine's /v1/models
inline constexpr std::size_t kScrapesMax = 16;  // engines asked for their metrics at a time
inline constexpr std::size_t kModelCardBytesMax = 8 << 10;   // of one model, as the engine lists it
inline constexpr std::size_t kDiscoveredEnginesMax = 4096;   // of one source
inline constexpr std::size_t kEngineListBytesMax = 4 << 20;  // a file of engines
inline constexpr std::size_t kDnsAnswerBytesMax = 64 << 10;
inline constexpr std::size_t kQueueWaitingMax = 1000;  // default of signalbox.queue.waiting_max
inline constexpr std::size_t kClientKeysMax = 10'000;  // signalbox.access.keys
// Files and batches.
inline constexpr std::size_t kStoredFilesMax = 10'000;
inline constexpr std::size_t kStoredFileBytesMax = 512 << 20;  // default of files.file_bytes_max
inline constexpr std::size_t kStoredFilesBytesMax = std::size_t{10}
                                                    << 30;  // default of files.total_bytes_max
inline constexpr std::size_t kBatchesMax = 10'000;  // remembered; the oldest finished go first
inline constexpr std::size_t kBatchRequestsMax = 50'000;  // lines of one batch, as at OpenAI
inline constexpr std::size_t kBatchLineBytesMax = 4 << 20;
inline constexpr std::size_t kBatchAnswerBytesMax = 16 << 20;  // one answer of a batch
inline constexpr std::size_t kOfficeQueueMax = 256;  // calls of files and batches that wait
// Prefix index: names of prompt blocks that engines hold.
inline constexpr std::size_t kPrefixBlocksMax = 1024;  // of one prompt: the first 3.7 MB
inline constexpr std::size_t kPrefixEnginesMax =
    4096;  // engines told apart; further ones are not indexed
inline constexpr std::size_t kPrefixEntriesMax = 1 << 20;  // of all engines and models: 28 MiB
// KV events: blocks that engines say they hold.
inline constexpr std::size_t kKvEngineBlocksMax = 1 << 20;  // of one engine rank; more are not kept
inline constexpr std::size_t kKvEntriesMax = 4 << 20;       // of all engines: some 200 MiB
inline constexpr std::size_t kKvRanksMax = 64;              // data-parallel ranks of one engine
inline constexpr std::size_t kKvMessageBytesMax = 32 << 20;  // one ZeroMQ message
inline constexpr std::size_t kKvHashBytesMax = 64;           // an engine's own name of a block
inline constexpr std::size_t kKvReplayBatchesMax = 20'000;   // asked for at a time
inline constexpr std::size_t kKvPendingMax = 256 << 10;  // blocks that are being computed, per core
inline constexpr std::size_t kKvBlockSizesMax = 8;       // of the engines of one model
inline constexpr int kKvReceiveQueueMax = 10'000;    // messages that wait for us; more are replayed
inline constexpr std::size_t kMsgpackDepthMax = 16;  // arrays and maps inside one another
// LMCache's controller protocol: instances that register, each with a worker a rank.
inline constexpr std::size_t kLmcacheInstancesMax = 1024;
inline constexpr std::size_t kLmcacheWorkersMax = 256;           // of one instance
inline constexpr std::size_t kLmcacheTextBytesMax = 256;         // of a name, an address, a place
inline constexpr std::size_t kLmcacheMessageBytesMax = 8 << 20;  // one frame
inline constexpr std::size_t kLmcacheFramesMax = 256;  // of one message; workers send 50 at most
inline constexpr std::size_t kLmcacheSyncBatchesMax = 1 << 16;  // of one full sync
inline constexpr std::size_t kLmcacheExpectedMax = 64;  // prompts by which a scheme is recognised
// Prompts as token ids.
inline constexpr std::size_t kPromptTokensMax = 4 << 20;          // of one prompt
inline constexpr std::size_t kTokenCacheBytesMax = 16 << 20;      // per core
inline constexpr std::size_t kTokenizeAnswerBytesMax = 32 << 20;  // an engine's /tokenize
inline constexpr std::size_t kTokenizeCallsMax = 64;              // at a time, per core
inline constexpr std::size_t kLocalPromptBytesMax =
    64 << 10;  // of a prompt that a core tokenises itself; longer ones are the engine's to do
inline constexpr std::size_t kLocalRenderBytesMax =
    1
    << 20;  // of messages that a core renders itself; of a conversation that goes on most is known
inline constexpr std::size_t kTokenizerConfigBytesMax = 8 << 20;  // tokenizer_config.json
// Chat templates. One rendering is some hundred to some thousand steps; the bounds keep a template with a mistake, or a
// conversation of very many messages, from holding up a core.
inline constexpr std::size_t kTemplateBytesMax = 256 << 10;  // the longest seen are 20 KB
inline constexpr std::size_t kTemplateNodesMax = 50'000;
inline constexpr int kTemplateDepthMax = 64;    // blocks, expressions, values inside one another
inline constexpr int kTemplateCallsMax = 32;    // macros that call one another
inline constexpr int kTemplateLevelsMax = 200;  // of all that while it runs
inline constexpr std::size_t kTemplateStepsMax = 200'000;  // about 10 ms
inline constexpr std::size_t kTemplateBytesPerStep = 256;  // of text that is searched or copied
inline constexpr std::size_t kTemplateOutputBytesMax = 64 << 20;  // text made, thrown away or not
inline constexpr std::size_t kTemplateTimeBytesMax = 64;          // format of strftime_now()
// Disaggregated prefill: what a prefill engine answers is read whole.
inline constexpr std::size_t kPrefillAnswerBytesMax = 4 << 20;
inline constexpr int kPrefillAttemptsMax = 2;
// Encoder.
inline constexpr std::size_t kEncoderQueueMax = 256;   // jobs waiting for a compute thread
inline constexpr std::size_t kEncoderTokensMax = 512;  // positions of the shipped base model
inline constexpr std::size_t kEncoderWindowsMax = 8;   // windows per long prompt
inline constexpr std::size_t kEncoderWindowTokens =
    256;  // of a long prompt; the length the base was tuned on
inline constexpr std::size_t kEncoderWindowOverlap =
    32;  // tokens that neighbouring windows share where every token must be seen: an order is short
inline constexpr std::size_t kEncoderSafetyTokensMax =
    8192;  // of a request that safety heads look at; about half a second of one core
inline constexpr std::size_t kIdentifierBytesMax =
    4 << 20;  // of a text that rules for personal data read; about 0.2 s
inline constexpr std::size_t kPiiHistoryBytesMax =
    32 << 10;  // of earlier messages that a pii rule looks at; about the safety budget of tokens
inline constexpr std::size_t kHeadFileBytesMax = 64 << 20;  // a head's tensors, neighbours included
inline constexpr std::size_t kHeadLabelsMax = 256;          // neighbours name theirs in a byte
inline constexpr std::size_t kHeadKnotsMax = 1024;          // of an isotonic calibration
inline constexpr std::size_t kHeadOperatingPointsMax = 16;  // stated for one head
inline constexpr std::size_t kModelFileBytesMax = std::size_t{8} << 30;  // a safetensors file
inline constexpr std::size_t kModelHeaderBytesMax = 16 << 20;            // its JSON header
inline constexpr std::size_t kModelTensorsMax = 1 << 16;
inline constexpr std::size_t kModelMetadataBytesMax = 1 << 20;  // config.json and meta.json
inline constexpr std::size_t kModelLayersMax = 128;
inline constexpr std::size_t kModelWidthMax = 1 << 14;  // any dimension of a layer
// Models of hub directories that users point at.
inline constexpr std::size_t kModelInnerMax = 1 << 16;      // feed-forward width of decoders
inline constexpr std::size_t kModelPositionsMax = 1 << 20;  // what a configuration may claim
inline constexpr std::size_t kModelFilesMax = 64;           // of one model
inline constexpr std::size_t kLoraRankMax = 1 << 10;
inline constexpr std::size_t kClassifierLabelsMax = 4096;
// One pass; attention costs the square of it, and more context rarely changes a verdict.
inline constexpr std::size_t kClassifierWindowTokens = 1024;
inline constexpr std::size_t kClassifierTokensMax = 4096;  // one text; its default budget
// A vocabulary of 260,000 pieces with half a million merges is 34 MB of JSON.
inline constexpr std::size_t kTokenizerFileBytesMax = 64 << 20;
inline constexpr std::size_t kVocabularyPiecesMax = 1 << 20;
inline constexpr std::size_t kVocabularyPieceBytesMax = 1 << 10;
inline constexpr std::size_t kTokenizeBytesMax = 1 << 20;
inline constexpr std::size_t kMergesMax = 2 << 20;       // of a BPE; the largest seen has 580,000
inline constexpr std::size_t kAddedTokensMax = 1 << 16;  // the most seen are 6,400
inline constexpr std::size_t kTokenizerStepsMax = 16;    // normalizers or pre-tokenizers, nested
inline constexpr std::size_t kFrameTokensMax = 16;       // around a sequence
inline constexpr std::size_t kReplaceBytesMax = 16;      // what one match may be replaced with
inline constexpr std::size_t kNormalizedBytesMax = 16 << 20;  // longer: no further normalizers
inline constexpr std::size_t kPatternNodesMax = 1 << 10;
inline constexpr std::size_t kPatternDepthMax = 16;  // nested groups
// The published patterns take up to 40 steps at a byte; more means a pattern that backtracks.
inline constexpr std::size_t kPatternStepsPerByteMax = 256;
// Operator's API.
inline constexpr std::size_t kApiTextBytesMax = 1 << 20;  // of one text; as much as is tokenised
inline constexpr std::size_t kApiTextsMax = 100;   // of one call; the reference's max_batch_size
inline constexpr std::size_t kApiTextsAtOnce = 8;  // in the encoder's queue, which requests share
// Telemetry.
inline constexpr std::size_t kSpanQueueMax = 4096;
inline constexpr std::size_t kLabelValuesMax =
    256;  // distinct values of one metric label, then "other"
inline constexpr std::size_t kLabelValueBytesMax = 128;  // longer label values are cut
inline constexpr std::size_t kMetricSeriesMax =
    4096;  // label sets of one metric (16 models x 256 endpoints)
inline constexpr std::size_t kSpanAttributesMax = 32;  // per span; further ones are dropped
inline constexpr std::size_t kSpanTextBytesMax = 256;  // one attribute value
inline constexpr std::size_t kSpanBatchMax = 512;      // spans of one export request
inline constexpr std::size_t kAccessLogFieldBytesMax =
    256;  // one text field of a line: a line stays under 4 KiB
inline constexpr std::size_t kAccessLogFlushBytes =
    32 << 10;  // a loop's buffer is written when it holds this much
inline constexpr std::size_t kAccessLogBufferBytesMax =
    1 << 20;  // reader too slow: further lines are dropped, counted

// Timeouts; defaults of the configuration keys of the same name.
inline constexpr std::chrono::seconds kHeadTimeout{
    30};  // first byte of a request to end of its head
inline constexpr std::chrono::seconds kBodyTimeout{60};  // between two reads of a request body
inline constexpr std::chrono::seconds kIdleTimeout{75};  // keep-alive connection without a request
inline constexpr std::chrono::seconds kConnectTimeout{5};
inline constexpr std::chrono::seconds kFirstByteTimeout{
    300};  // LLM prefill of a long prompt behind a queue
inline constexpr std::chrono::seconds kStreamIdleTimeout{120};  // between two bytes of a response
inline constexpr std::chrono::seconds kRetryAfterMax{30};  // longer ones are the client's to wait
inline constexpr std::chrono::seconds kTotalTimeout{1800};
// A full batch of long texts takes some seconds of one core.
inline constexpr std::chrono::seconds kApiTimeout{60};
// An unused upstream connection is kept so long; engines behind uvicorn close theirs after 5 s, which is noticed.
inline constexpr std::chrono::seconds kUpstreamIdleTimeout{60};
inline constexpr std::chrono::seconds kDrainTimeout{30};  // SIGTERM to forced close

static_assert(kRelayBufferBytes >= kChunkLineBytesMax);
static_assert(kReadBufferBytesMax % kRelayBufferBytes == 0);  // read buffers double
static_assert(kFirstReadBufferBytes < kRelayBufferBytes);
static_assert(kSseFrameBytesMax >= kRelayBufferBytes);

}  // namespace signalbox::limits
