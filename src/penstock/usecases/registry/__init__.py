"""The registry: what holders and issuers do with certificates. One act a file, each a pure decision."""
