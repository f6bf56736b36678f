"""What is fetched from VirtualExpo: one document, a lead of each category."""

from __future__ import annotations

VIRTUALEXPO_XML = """\
<?xml version="1.0" encoding="UTF-8"?>
<leads xmlns="urn:leadbus:virtualexpo:1" marketplaceGroup="VirtualExpo"
       generatedAt="2026-04-14T12:00:00+02:00" from="2026-04-14T10:00:00+02:00" to="2026-04-14T12:00:00+02:00"
       count="3">
  <lead id="VX-5501873" category="request" marketplace="DirectIndustry">
    <type>Documentation / Quote</type>
    <createdAt>2026-04-14T10:22:31+02:00</createdAt>
    <stand><exhibitorId>18822</exhibitorId><exhibitorName>Hoffmann Nutzfahrzeuge</exhibitorName></stand>
    <product>
      <productId>P-20931</productId><productName>Refrigerated body KB 7</productName>
      <productUrl>https://www.directindustry.example/prod/hoffmann/product-20931.html</productUrl>
      <productCategory>Vehicle bodies</productCategory>
    </product>
    <product><productId>P-20944</productId><productName>Tail lift TL 2000</productName></product>
    <buyer>
      <civility>Mme</civility><firstName>Claire</firstName><lastName>Le Goff</lastName>
      <email>claire.legoff@transports-legoff.example</email>
      <phone>02 98 55 01 00</phone><mobile>+33 6 39 98 01 23</mobile><language>fr</language>
    </buyer>
    <company>
      <companyName>Transports Le Goff</companyName>
      <businessCompanyType>Transport company</businessCompanyType>
      <businessSector>Logistics</businessSector>
      <employeeCount>20-49</employeeCount><website>https://www.transports-legoff.example</website>
    </company>
    <address>
      <street>4 quai de l'Odet</street><postalCode>29000</postalCode><city>Quimper</city>
      <country>France</country>
    </address>
    <message>Merci d'envoyer la fiche technique &amp; un prix pour 3 véhicules.</message>
  </lead>
  <lead id="VX-5501902" category="prospect" marketplace="MedicalExpo">
    <type>Price options</type>
    <createdAt>2026-04-14T10:41:07</createdAt>
    <stand><exhibitorId>18822</exhibitorId></stand>
    <product><productId>P-20960</productId><productName>Patient transport interior</productName></product>
    <buyer>
      <firstName>Jürgen</firstName><lastName>Weiß</lastName><email>j.weiss@klinik.example</email>
      <language>de</language><employeePosition>Emergency medicine</employeePosition>
    </buyer>
    <company><companyName>Klinikum am See</companyName></company>
    <address><city>Konstanz</city><country>Allemagne</country></address>
  </lead>
  <lead id="VX-5501944" category="visit" marketplace="DirectIndustry">
    <createdAt>2026-04-14T11:03:58+02:00</createdAt>
    <stand><exhibitorId>18822</exhibitorId></stand>
    <product><productId>P-20931</productId></product>
    <buyer/>
    <company><companyName>Autotrasporti Rossi</companyName></company>
    <address><country>Italia</country></address>
  </lead>
</leads>
"""
