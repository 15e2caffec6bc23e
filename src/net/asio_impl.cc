// Asio's own sources, compiled once (BOOST_ASIO_SEPARATE_COMPILATION) so that other files include only declarations.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
