#include "signals/domain_keywords.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "encoder/encoder.h"

namespace signalbox::signals {
namespace {

// Words that rarely stand in questions of another domain. "other" has none: it is what is left.
constexpr std::array kWords = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"business",
     "marketing, revenue, startup, business plan, business model, customers, stakeholders, profit "
     "margin, brand, "
     "management, manager, supply chain, human resources, entrepreneur, market share, sales, "
     "merger, acquisition, "
     "balance sheet, cash flow, invoice, accounting, kpi, pricing strategy, competitive advantage, "
     "go-to-market"},
    {"law",
     "law, legal, lawsuit, court, statute, contract law, plaintiff, defendant, liability, "
     "negligence, tort, attorney, "
     "lawyer, jurisdiction, constitutional, felony, misdemeanor, copyright, patent, trademark, "
     "intellectual property, "
     "breach of contract, due process, appeal, verdict, gdpr, landlord, custody"},
    {"psychology",
     "psychology, psychologist, cognitive, cognition, behavior, behaviour, anxiety, depression, "
     "freud, piaget, maslow, "
     "conditioning, attachment theory, personality, motivation, self-esteem, working memory, "
     "emotion, emotions, "
     "therapy, cognitive bias, placebo, subconscious, developmental, stereotype, introvert, "
     "extrovert"},
    {"biology",
     "biology, cell, cells, dna, rna, gene, genes, genetic, genetics, protein, proteins, enzyme, "
     "mitochondria, "
     "photosynthesis, evolution, natural selection, species, organism, bacteria, virus, "
     "chromosome, mitosis, meiosis, "
     "ecosystem, ecology, mutation, chlorophyll, amino acid"},
    {"chemistry",
     "chemistry, chemical, molecule, molecules, molar, mole, moles, stoichiometry, reaction, "
     "reagent, catalyst, acid, "
     "titration, ph, oxidation, redox, covalent, ionic, periodic table, isotope, polymer, organic "
     "compound, benzene, "
     "equilibrium constant, solubility, enthalpy, electronegativity, sodium"},
    {"history",
     "history, historical, century, empire, emperor, dynasty, revolution, world war, civil war, "
     "cold war, ancient, "
     "medieval, renaissance, colonial, colonialism, treaty, monarchy, pharaoh, roman, ottoman, "
     "napoleon, archaeology, "
     "crusades, feudal, feudalism, industrial revolution, slavery"},
    {"health",
     "health, healthy, symptom, symptoms, disease, diagnosis, treatment, patient, patients, "
     "doctor, medicine, "
     "medication, dosage, vaccine, vaccination, blood pressure, diabetes, cancer, infection, "
     "nutrition, diet, vitamin, "
     "cholesterol, pregnancy, surgery, insulin, headache, exercise routine"},
    {"economics",
     "economics, economic, economy, inflation, gdp, supply and demand, monetary policy, fiscal "
     "policy, interest rate, "
     "interest rates, unemployment, elasticity, macroeconomics, microeconomics, central bank, "
     "federal reserve, tariff, "
     "tariffs, recession, opportunity cost, monopoly, oligopoly, subsidy, exchange rate, trade "
     "deficit, keynesian"},
    {"math",
     "math, mathematics, derivative, integral, equation, equations, algebra, calculus, geometry, "
     "theorem, proof, "
     "polynomial, matrix, eigenvalue, eigenvalues, prime number, probability, triangle, "
     "differentiate, integrate, "
     "quadratic, logarithm, trigonometry, sine, cosine, vector space, modulo, factorial, "
     "permutations"},
    {"physics",
     "physics, velocity, acceleration, momentum, newton, gravity, gravitational, quantum, quantum "
     "mechanics, "
     "relativity, electromagnetic, magnetic field, electric field, photon, electron, kinetic "
     "energy, potential energy, "
     "thermodynamics, entropy, wavelength, frequency, friction, torque, voltage, black hole, "
     "semiconductor, joules"},
    {"computer science",
     "python, javascript, java, c++, rust, sql, code, function, algorithm, algorithms, data "
     "structure, binary search, "
     "compiler, debug, debugging, api, database, recursion, programming, software, linked list, "
     "hash table, "
     "time complexity, operating system, kubernetes, docker, regex, git, machine learning, neural "
     "network, tcp"},
    {"philosophy",
     "philosophy, philosopher, ethics, ethical, moral, morality, kant, plato, aristotle, socrates, "
     "nietzsche, "
     "metaphysics, epistemology, ontology, free will, determinism, utilitarianism, existentialism, "
     "stoicism, "
     "categorical imperative, dualism, consciousness, trolley problem, virtue, descartes, hegel, "
     "hume"},
    {"engineering",
     "engineering, engineer, circuit, circuits, transistor, resistor, capacitor, beam, bending "
     "moment, stress, strain, "
     "load bearing, bridge design, turbine, hvac, hydraulic, pneumatic, control system, pid "
     "controller, signal "
     "processing, welding, reinforced concrete, cad, tensile strength, fluid flow, heat exchanger, "
     "gearbox, op-amp"},
});

}  // namespace

std::string_view DomainKeywords::words(std::string_view label) {
  for (const auto& [domain, words] : kWords) {
    if (domain == label) return words;
  }
  return {};
}

Result<DomainKeywords> DomainKeywords::compile() {
  DomainKeywords made;
  std::vector<Literal> literals;
  const auto labels = encoder::Encoder::domain_labels();
  for (std::uint32_t label = 0; label < labels.size(); ++label) {
    for (const std::string_view word : split(words(labels[label]), ',')) {
      literals.push_back({.text = std::string(word)});
      made.labels_.push_back(label);
    }
  }
  SBX_TRY(made.matcher_, LiteralMatcher::compile(std::move(literals)));
  return made;
}

std::optional<DomainGuess> DomainKeywords::guess(std::string_view text, Scratch& scratch) const {
  struct Votes final : LiteralMatcher::Sink {
    Votes(const std::vector<std::uint32_t>& by_literal, std::vector<std::uint8_t>& marks)
        : labels(by_literal), seen(marks) {
      seen.assign(labels.size(), 0);
    }
    bool found(std::uint32_t literal, std::size_t, std::size_t) override {
      if (std::exchange(seen[literal], 1) != 0) return true;
      ++votes[labels[literal]];
      ++total;
      return true;
    }
    const std::vector<std::uint32_t>& labels;
    std::vector<std::uint8_t>& seen;
    std::array<std::uint32_t, 64> votes{};
    std::uint32_t total = 0;
  };
  Votes votes(labels_, scratch.marks);
  if (!matcher_.scan(text, scratch, votes) || votes.total == 0) return std::nullopt;
  const auto best = std::max_element(votes.votes.begin(), votes.votes.end());
  if (std::count(votes.votes.begin(), votes.votes.end(), *best) > 1) return std::nullopt;
  // One word is a hint, several that agree are a verdict: 0.47, 0.62, 0.7, ... towards 0.9.
  const float damped = 0.9F * static_cast<float>(*best) / (static_cast<float>(votes.total) + 0.9F);
  return DomainGuess{static_cast<std::uint32_t>(best - votes.votes.begin()), damped};
}

}  // namespace signalbox::signals
