// The key space of v0.3 that no table binds: features of later releases, as rows of names and kinds. One line per struct;
// after the colon of a key stands its kind: i integer, f number, b boolean, ! secret, [] list of words, {} the user's own
// keys, * any value, @X struct X, [@X] list of X, {@X} names to X; nothing is a string. Names are v0.3's; keys marked in
// the last block of a struct by "|" are spellings of the older generations.
#include <array>
#include <map>
#include <string>

#include "base/assert.h"
#include "base/text.h"
#include "config/tables/tables.h"

namespace signalbox::config {
namespace {

constexpr std::string_view kSpec = R"(
NamedRule: name description
ReaskRule: name description threshold:f lookback_turns:i
PreferenceRule: name description examples:[] threshold:f
Rule: type name rule_name label predicate:{} on_error operator conditions:[@Rule]
Candidates: candidates:[] image_candidates:[]
ComplexityRule: name threshold:f hard:@Candidates easy:@Candidates description composer:@Rule
JailbreakRule: name method threshold:f include_history:b description jailbreak_patterns:[] benign_patterns:[]
PIIRule: name threshold:f pii_types_allowed:[] include_history:b description
KBTarget: kind value
KBSignalRule: name kb target:@KBTarget match
EventRule: name description event_types:[] severities:[] action_codes:[] temporal:b
ClassifierSignalRule: name description type model model_path labels:[] instructions use_cpu:b

Partition: name semantics temperature:f members:[] default
ScoreInput: type name kb metric weight:f value_source match:f miss:f
Score: name method inputs:[@ScoreInput]
Calibration: method slope:f
MappingOutput: name lt:f lte:f gt:f gte:f
Mapping: name source method calibration:@Calibration outputs:[@MappingOutput]
Projections: partitions:[@Partition] scores:[@Score] mappings:[@Mapping]

HybridWeights: logprob_weight:f margin_weight:f
Confidence: confidence_method threshold:f hybrid_weights:@HybridWeights on_error escalation_order cost_quality_tradeoff:f token_filter verifier_server_url verifier_timeout_seconds:i
Ratings: max_concurrent:i on_error
ReMoM: breadth_schedule:[] model_distribution temperature:f include_reasoning:b compaction_strategy compaction_tokens:i synthesis_template synthesis_model max_concurrent:i max_completion_tokens:i round_timeout_seconds:i min_successful_responses:i on_error shuffle_seed:i include_intermediate_responses:b max_responses_per_round:i
FusionOverride: model temperature:f max_completion_tokens:i
Grounding: enabled:b reference policy min_score:f min_keep:i nli_contradiction_penalty:f on_error
Fusion: model analysis_models:[] analysis_overrides:[@FusionOverride] max_concurrent:i max_completion_tokens:i round_timeout_seconds:i min_successful_responses:i temperature:f include_analysis:b on_error analysis_template synthesis_template judge_prompt_version include_intermediate_responses:b grounding:@Grounding
WorkflowRole: name models:[] prompt access_list:[]
WorkflowFinal: model prompt
WorkflowPlanner: model max_completion_tokens:i
Workflows: mode template roles:[@WorkflowRole] final:@WorkflowFinal planner:@WorkflowPlanner max_steps:i max_parallel:i max_completion_tokens:i round_timeout_seconds:i min_successful_responses:i temperature:f include_intermediate_responses:b on_error
RouterDC: temperature:f dimension_size:i min_similarity:f use_query_contrastive:b use_model_contrastive:b require_descriptions:b use_capabilities:b
AutoMix: verification_threshold:f max_escalations:i cost_aware_routing:b cost_quality_tradeoff:f discount_factor:f use_logprob_verification:b
Hybrid: experience_weight:f router_dc_weight:f automix_weight:f cost_weight:f quality_gap_threshold:f normalize_scores:b
LatencyAware: tpot_percentile:i ttft_percentile:i description
MultiFactorWeights: quality:f latency:f cost:f load:f
MultiFactorSLO: max_tpot_ms:f max_ttft_ms:f max_cost_per_1m:f max_inflight:i
MultiFactor: weights:@MultiFactorWeights slo:@MultiFactorSLO latency_percentile:i on_no_candidates
PromptSelection: model instructions timeout_seconds:i
MLSelection: type models_path k:i num_clusters:i kernel gamma:f efficiency_weight:f device feature_weights:{}
Algorithm: type on_error confidence:@Confidence ratings:@Ratings remom:@ReMoM fusion:@Fusion workflows:@Workflows router_dc:@RouterDC automix:@AutoMix hybrid:@Hybrid latency_aware:@LatencyAware multi_factor:@MultiFactor prompt:@PromptSelection ml:@MLSelection

ChoiceSet: values:[]
JSONSchemaSpec: schema_ref
ReferenceSpec: source id_format
RenderSpec: mode template
ExtractSpec: mode sources:[]
NormalizeSpec: field_order:[] defaults:{}
Violation: repair:b fallback
Postprocess: type
OutputContractSpec: type choice_set:@ChoiceSet json_schema:@JSONSchemaSpec reference:@ReferenceSpec render:@RenderSpec extract:@ExtractSpec normalize:@NormalizeSpec on_violation:@Violation postprocess:[@Postprocess]
DecisionAdaptation: mode candidate_set
DecisionProtection: mode stability_weight:f switch_margin:f
Adaptations: mode adaptation:@DecisionAdaptation protection:@DecisionProtection
IterationModel: model lora_name weight:f use_reasoning:b reasoning_description reasoning_effort
IterationOutput: type value
CandidateIteration: variable source models:[@IterationModel] outputs:[@IterationOutput]
Retention: drop:b ttl_turns:i keep_current_model:b prefer_prefix_retention:b
Emit: kind retention:@Retention

RetrievalWeights: semantic:f history:f decision_prior:f repetition_penalty:f
DynamicRetrieval: enabled:b strategy history_window:i weights:@RetrievalWeights min_history_confidence:f fallback_on_low_confidence:b
ToolsPlugin: enabled:b mode semantic_selection:b allow_tools:[] block_tools:[] strip_tool_history:b strategy dynamic_retrieval:@DynamicRetrieval
ToolFilteringWeights: embed:f lexical:f tag:f name:f category:f
HybridHistory: history_horizon:i min_history_steps:i history_confidence_threshold:f weight_semantic:f weight_history_transition:f weight_decision_prior:f repetition_penalty_strength:f
AdvancedToolFiltering: enabled:b retrieval_strategy candidate_pool_size:i min_lexical_overlap:i min_combined_score:f weights:@ToolFilteringWeights use_category_filter:b category_confidence_threshold:f allow_tools:[] block_tools:[] hybrid_history:@HybridHistory
ToolSelectionPlugin: enabled:b mode tools_db_path top_k:i similarity_threshold:f advanced_filtering:@AdvancedToolFiltering strategy fallback_to_empty:b relevance_threshold:f preserve_count:i
CompressionBudget: trigger_tokens:* target_tokens:* reserve_output_tokens:*
CompressionTarget: mode min_tokens:i target_tokens:i
CompressionTargets: tool_outputs:@CompressionTarget history:@CompressionTarget rag:@CompressionTarget memory:@CompressionTarget
CompressionScoring: method embedding_model_ref
CompressionRecovery: enabled:b store ttl_seconds:i max_bytes_per_request:i max_total_bytes:i max_retrievals:i
CompressionControls: enabled:b header allowed:[] max_target_tokens:i
ContextCompressionPlugin: enabled:b mode budget:@CompressionBudget targets:@CompressionTargets scoring:@CompressionScoring recovery:@CompressionRecovery request_controls:@CompressionControls failure_mode
MemoryReflection: enabled:b algorithm max_inject_tokens:i recency_decay_days:i dedup_threshold:f block_patterns:[]
MemoryPlugin: enabled:b retrieval_limit:i similarity_threshold:f auto_store:b hybrid_search:b hybrid_mode reflection:@MemoryReflection
RAGPlugin: enabled:b backend similarity_threshold:f top_k:i max_context_length:i injection_mode on_failure cache_results:b cache_ttl_seconds:i min_confidence_threshold:f backend_config:{}
RouterReplayPlugin: enabled:b max_records:i capture_request_body:b capture_response_body:b max_body_bytes:i max_tool_trace_bytes:i max_tool_trace_steps:i
HallucinationPlugin: enabled:b use_nli:b hallucination_action unverified_factual_action include_hallucination_details:b
ResponseJailbreakPlugin: enabled:b threshold:f action
JailbreakPlugin: enabled:b threshold:f include_history:b
ModalityClassifier: model_path use_cpu:b
ModalityDetection: method classifier:@ModalityClassifier keywords:[] both_keywords:[] confidence_threshold:f lower_threshold_ratio:f
ImageGenPlugin: enabled:b backend backend_config:{} modality_detection:@ModalityDetection default_width:i default_height:i max_inference_steps:i timeout_seconds:i response_text prompt_prefixes:[]

StreamedBody: enabled:b max_bytes:i timeout_sec:i
KNN: k:i pretrained_path
KMeans: num_clusters:i efficiency_weight:f pretrained_path
SVM: kernel gamma:f pretrained_path
MLP: device pretrained_path
ML: models_path embedding_dim:i knn:@KNN kmeans:@KMeans svm:@SVM mlp:@MLP
Momentum: enabled:b attack:f release:f threshold:f
ModelSelection: method enabled:b router_dc:@RouterDC automix:@AutoMix hybrid:@Hybrid ml:@ML momentum:@Momentum
LearningRedis: address password:! database:i key_prefix
LearningStore: backend ttl_seconds:i timeout_ms:i redis:@LearningRedis
LearningAdaptation: enabled:b candidate_set strategy
IdentityHeaders: session conversation
LearningIdentity: headers:@IdentityHeaders
LearningTuning: idle_timeout_seconds:i min_turns_before_switch:i switch_margin:f stability_weight:f
LearningProtection: enabled:b scope identity:@LearningIdentity tuning:@LearningTuning
Learning: enabled:b adaptation:@LearningAdaptation protection:@LearningProtection state_store:@LearningStore

BatchSizeRange: min:i max:i label
BatchMetrics: sample_rate:f batch_size_ranges:[@BatchSizeRange] duration_buckets:[] size_buckets:[] enabled:b detailed_goroutine_tracking:b high_resolution_timing:b
BatchClassification: max_batch_size:i concurrency_threshold:i max_concurrency:i metrics:@BatchMetrics
API: batch_classification:@BatchClassification
ResponseAPIRedis: address password:! db:i key_prefix cluster_mode:b cluster_addresses:[] pool_size:i min_idle_conns:i max_retries:i dial_timeout:i read_timeout:i write_timeout:i tls_enabled:b tls_cert_path tls_key_path tls_ca_path config_path
ResponseAPI: enabled:b store_backend ttl_seconds:i max_responses:i redis:@ResponseAPIRedis
WindowedMetrics: enabled:b time_windows:[] update_interval model_metrics:b queue_depth_estimation:b max_models:i
Metrics: enabled:b windowed_metrics:@WindowedMetrics
AuthzProvider: type headers:{}
RateLimitMatch: user group model
RateLimitRule: name match:@RateLimitMatch requests_per_unit:i tokens_per_unit:i unit
RateLimitProvider: type address domain rules:[@RateLimitRule]
RateLimit: fail_open:b providers:[@RateLimitProvider]
ManagementToken: env role
ManagementAuth: mode tokens:[@ManagementToken] roles:{}
ManagementAPI: bind_address port:i remote_exposure:b auth:@ManagementAuth
ReplayRedis: address db:i password:! use_tls:b tls_skip_verify:b max_retries:i pool_size:i key_prefix
Postgres: host port:i database user password:! ssl_mode max_open_conns:i max_idle_conns:i conn_max_lifetime:i table_name
ReplayMilvus: address username password:! collection_name consistency_level shard_num:i
ReplayQdrant: host port:i api_key:! use_tls:b collection_name
RouterReplay: enabled:b store_backend ttl_seconds:i async_writes:b redis:@ReplayRedis postgres:@Postgres milvus:@ReplayMilvus qdrant:@ReplayQdrant
StatusRedis: address password:! db:i
StartupStatus: store_backend redis:@StatusRedis

StoreTLS: enabled:b cert_file key_file ca_file
StoreAuth: enabled:b username password:!
RedisConnection: host port:i database:i password:! timeout:i tls:@StoreTLS
VectorField: name dimension:i metric_type
IndexParams: M:i efConstruction:i
RedisIndex: name prefix vector_field:@VectorField index_type params:@IndexParams
RedisSearch: topk:i
StoreDevelopment: drop_index_on_startup:b auto_create_index:b verbose_errors:b drop_collection_on_startup:b auto_create_collection:b
StoreLogging: level enable_query_log:b enable_metrics:b
RedisStore: connection:@RedisConnection index:@RedisIndex search:@RedisSearch development:@StoreDevelopment logging:@StoreLogging
MilvusConnection: host port:i database timeout:i auth:@StoreAuth tls:@StoreTLS
MilvusIndex: type params:@IndexParams
MilvusCollection: name description vector_field:@VectorField index:@MilvusIndex
MilvusSearchParams: ef:i
MilvusSearch: params:@MilvusSearchParams topk:i consistency_level
MilvusPool: max_connections:i max_idle_connections:i acquire_timeout:i
MilvusBatch: insert_batch_size:i timeout:i
MilvusPerformance: connection_pool:@MilvusPool batch:@MilvusBatch
MilvusTTL: enabled:b timestamp_field cleanup_interval:i
MilvusCompaction: enabled:b interval:i
MilvusData: ttl:@MilvusTTL compaction:@MilvusCompaction
MilvusStore: connection:@MilvusConnection collection:@MilvusCollection search:@MilvusSearch performance:@MilvusPerformance data_management:@MilvusData logging:@StoreLogging development:@StoreDevelopment
QdrantStore: host port:i api_key:! use_tls:b connect_timeout:i collection_name
ResponseCacheStore: backend_type enabled:b similarity_threshold:f max_entries:i ttl_seconds:i eviction_policy redis:@RedisStore valkey:@RedisStore milvus:@MilvusStore qdrant:@QdrantStore embedding_model | use_hnsw:b hnsw_m:i hnsw_ef_construction:i max_memory_entries:i backend_config_path
MemoryMilvus: address collection dimension:i num_partitions:i
MemoryValkey: host port:i database:i password:! timeout:i collection_prefix index_name dimension:i metric_type index_m:i index_ef_construction:i tls_enabled:b tls_ca_path tls_insecure_skip_verify:b
MemoryQdrant: host port:i api_key:! use_tls:b connect_timeout:i collection dimension:i
MemoryRedisCache: enabled:b address ttl_seconds:i db:i key_prefix password:!
MemoryQuality: initial_strength_days:i prune_threshold:f max_memories_per_user:i
Memory: enabled:b backend auto_store:b disabled_routes:[] disabled_models:[] milvus:@MemoryMilvus valkey:@MemoryValkey qdrant:@MemoryQdrant redis_cache:@MemoryRedisCache embedding_model extraction_batch_size:i default_retrieval_limit:i default_similarity_threshold:f hybrid_search:b hybrid_mode adaptive_threshold:b quality_scoring:@MemoryQuality reflection:@MemoryReflection
VectorMemory: max_entries_per_store:i
LlamaStack: endpoint auth_token:! embedding_model request_timeout_seconds:i search_type
ValkeyVector: host port:i database:i password:! connect_timeout:i collection_prefix metric_type index_m:i index_ef_construction:i
QdrantVector: host port:i api_key:! use_tls:b connect_timeout:i collection_prefix
VectorStore: enabled:b backend_type file_storage_dir max_file_size_mb:i embedding_model embedding_dimension:i ingestion_workers:i ingestion_drain_timeout_seconds:i supported_formats:[] milvus:@MilvusStore memory:@VectorMemory llama_stack:@LlamaStack valkey:@ValkeyVector qdrant:@QdrantVector metadata_store metadata_postgres:@Postgres

Tools: enabled:b top_k:i similarity_threshold:f tools_db_path fallback_to_empty:b advanced_filtering:@AdvancedToolFiltering
ModelNames: model_names:[]
FlowFile: directory
FlowState: store_backend ttl_seconds:i file:@FlowFile redis:@ReplayRedis
Flow: model_names:[] state:@FlowState
Looper: endpoint grpc_max_msg_size_mb:i max_response_bytes_mb:i timeout_seconds:i retry_count:i headers:{} remom:@ModelNames fusion:@ModelNames flow:@Flow

PrototypeScoring: enabled:b cluster_similarity_threshold:f max_prototypes:i best_weight:f top_m:i margin_threshold:f
EmbeddingSettings: backend model_type preload_embeddings:b target_dimension:i target_layer:i enable_soft_matching:b top_k:i min_score_threshold:f prototype_scoring:@PrototypeScoring
EmbeddingEndpoint: base_url model api_key_env timeout_seconds:i max_retries:i dimensions:i
SemanticEmbeddings: qwen3_model_path gemma_model_path mmbert_model_path multimodal_model_path bert_model_path use_cpu:b embedding_config:@EmbeddingSettings endpoint:@EmbeddingEndpoint
Embeddings: semantic:@SemanticEmbeddings
SystemModels: prompt_guard domain_classifier pii_classifier fact_check_classifier hallucination_detector hallucination_explainer feedback_detector
ExternalEndpoint: address port:i protocol name use_chat_template:b prompt_template
ExternalModel: name llm_provider model_role llm_endpoint:@ExternalEndpoint llm_model_name llm_timeout_seconds:i parser_type threshold:f access_key:! max_tokens:i temperature:f
KnowledgeSource: path manifest
KnowledgeMetric: name type positive_group negative_group
KnowledgeBase: name source:@KnowledgeSource threshold:f label_thresholds:{} groups:{} metrics:[@KnowledgeMetric] prototype_scoring:@PrototypeScoring
PromptCompression: enabled:b profile max_tokens:i min_length:i skip_signals:[] textrank_weight:f position_weight:f tfidf_weight:f novelty_weight:f position_depth:f preserve_first_n:i preserve_last_n:i
PromptGuard: enabled:b model_ref model_id threshold:f use_cpu:b jailbreak_mapping_path positive_labels:[] variant protocol on_error | use_modernbert:b use_mmbert_32k:b use_vllm:b
CategoryModel: enabled:b model_ref model_id use_cpu:b use_modernbert:b use_mmbert_32k:b category_mapping_path
MCPCategoryModel: enabled:b transport_type command args:[] env:{} url tool_name threshold:f timeout_seconds:i
PIIModel: enabled:b model_ref model_id threshold:f use_cpu:b use_mmbert_32k:b pii_mapping_path | use_modernbert:b
PreferenceModel: use_contrastive:b embedding_model prototype_scoring:@PrototypeScoring
ComplexityModel: prototype_scoring:@PrototypeScoring
FactCheck: model_ref model_id threshold:f use_cpu:b use_mmbert_32k:b
Detector: backend endpoint include_explanation:b model_ref model_id threshold:f use_cpu:b min_span_length:i min_span_confidence:f context_window_size:i enable_nli_filtering:b nli_entailment_threshold:f
Explainer: model_ref model_id threshold:f use_cpu:b
Hallucination: enabled:b on_hallucination_detected fact_check:@FactCheck detector:@Detector explainer:@Explainer
FeedbackDetector: enabled:b model_ref model_id threshold:f use_cpu:b use_modernbert:b use_mmbert_32k:b feedback_mapping_path
ModalityDetector: enabled:b prompt_prefixes:[] method classifier:@ModalityClassifier keywords:[] both_keywords:[] confidence_threshold:f lower_threshold_ratio:f
)";

std::function<const Schema&()> nested(std::string_view name) {
  return [name]() -> const Schema& { return known_schema(name); };
}

Field parse_field(std::string_view word) {
  const auto colon = word.find(':');
  const auto key = word.substr(0, colon);
  const auto kind = colon == std::string_view::npos ? std::string_view() : word.substr(colon + 1);
  if (kind.empty()) return known_scalar(key, Type::kString);
  if (kind == "i") return known_scalar(key, Type::kInteger);
  if (kind == "f") return known_scalar(key, Type::kNumber);
  if (kind == "b") return known_scalar(key, Type::kBoolean);
  if (kind == "!") return known_scalar(key, Type::kSecret);
  if (kind == "[]") return known_scalar(key, Type::kStringList);
  if (kind == "{}" || kind == "*") return known_open(key);
  if (kind.starts_with('@')) return known_struct(key, nested(kind.substr(1)));
  if (kind.starts_with("[@")) return known_list(key, nested(kind.substr(2, kind.size() - 3)));
  SBX_ASSERT(kind.starts_with("{@"));
  return known_map(key, nested(kind.substr(2, kind.size() - 3)));
}

std::map<std::string_view, Schema> parse_spec() {
  std::map<std::string_view, Schema> schemas;
  for (const auto line : split(kSpec, '\n')) {
    const auto colon = line.find(':');
    Schema schema;
    schema.name = line.substr(0, colon);
    for (const auto word : split(line.substr(colon + 1), ' ')) {
      if (word != "|") schema.fields.push_back(parse_field(word));
    }
    schemas.emplace(schema.name, std::move(schema));
  }
  return schemas;
}

const Schema* find_schema(std::string_view name) {
  static const std::map<std::string_view, Schema> schemas = parse_spec();
  const auto found = schemas.find(name);
  return found == schemas.end() ? nullptr : &found->second;
}

}  // namespace

const Schema& known_schema(std::string_view name) {
  const Schema* found = find_schema(name);
  SBX_ASSERT(found != nullptr);
  return *found;
}

bool is_known_schema(const Schema& schema) { return find_schema(schema.name) == &schema; }

}  // namespace signalbox::config
