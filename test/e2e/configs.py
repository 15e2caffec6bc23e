"""Configurations for tests, as text in the canonical form."""


def proxy(ports, policy='round_robin', model='base-model', extra='', own=''):
    """One model on several replicas of 127.0.0.1, no decisions: what a plain load balancer does."""
    backends = ''.join(f'\n        - {{name: replica-{index}, endpoint: "127.0.0.1:{port}", weight: 1}}'
                       for index, port in enumerate(ports))
    return f'''version: v0.3
providers:
  defaults:
    default_model: {model}
  models:
    - name: {model}
      backend_refs:{backends}
{extra}
signalbox:
  balancer: {{policy: {policy}}}
{own}
'''


def two_models(first_port, second_port, own=''):
    """Keyword "alpha" goes to one model, everything else to the other."""
    return f'''version: v0.3
providers:
  defaults:
    default_model: model-b
  models:
    - name: model-a
      backend_refs: [{{name: a, endpoint: "127.0.0.1:{first_port}", weight: 1}}]
    - name: model-b
      backend_refs: [{{name: b, endpoint: "127.0.0.1:{second_port}", weight: 1}}]
routing:
  signals:
    keywords:
      - {{name: alpha, operator: OR, keywords: [alpha]}}
  decisions:
    - name: alpha_decision
      priority: 10
      rules: {{operator: OR, conditions: [{{type: keyword, name: alpha}}]}}
      modelRefs: [{{model: model-a, use_reasoning: false}}]
    - name: rest_decision
      priority: 1
      rules: {{operator: AND, conditions: []}}
      modelRefs: [{{model: model-b, use_reasoning: false}}]
signalbox:
{own or "  access_log: {enabled: false}"}
'''
