//! Which servers are believed to be who they say.

use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, Error, RootCertStore};

/// File of the folder of credentials with further authorities, in PEM: a company's own.
pub const AUTHORITIES: &str = "ca.crt";

/// Mozilla's authorities, and those given.
///
/// The operator's image is one file, without any authorities of a system. So they are in the binary, as its time zones are.
pub fn config(authorities: Option<&[u8]>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let wrong = || format!("the operator's file `{AUTHORITIES}` must hold certificates in PEM");
    for certificate in authorities.into_iter().flat_map(CertificateDer::pem_slice_iter) {
        roots.add(certificate.map_err(|_| wrong())?).map_err(|_| wrong())?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| format!("TLS cannot be used: {error}"))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Why there is no connection, in words of ours.
pub fn words(error: &std::io::Error) -> String {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
    let words = match cause {
        Some(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
            "its certificate has expired"
        }
        Some(Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })) => {
            "its certificate is for another host"
        }
        Some(Error::InvalidCertificate(_)) => "its certificate is not trusted",
        Some(_) => "does not speak TLS as this operator does",
        None => "broke off the connection",
    };
    words.to_owned()
}
