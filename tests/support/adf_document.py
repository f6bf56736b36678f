"""An ADF 1.0 document with every element and every attribute that there is; valid in both layers."""

from __future__ import annotations

WHOLE = """<?xml version="1.0"?><?adf version="1.0"?><adf><prospect>
<id sequence="1" source="CarPoint">CP-1</id><id sequence="2" source="DealerSite">77</id>
<requestdate>2026-04-14T11:03:05-05:00</requestdate>
<vehicle interest="trade-in"><id source="valuer">T9</id><year>2012</year><make>Opel</make><model>Corsa</model>
<odometer status="original" units="km">98000</odometer><condition>fair</condition>
<finance><method>finance</method><amount type="monthly" limit="exact" currency="EUR">180</amount>
<balance type="finance" currency="EUR">2100</balance></finance></vehicle>
<vehicle interest="lease" status="used"><year>2018-2020</year><make>Ford</make><model>F-150</model>
<vin>1M8GDM9AXKP042788</vin><stock>P1</stock><trim>XLT</trim><doors>4</doors><bodystyle>Pickup</bodystyle>
<transmission>A</transmission><odometer status="rolledover" units="mi">21840</odometer>
<condition>excellent</condition><colorcombination><interiorcolor>tan</interiorcolor>
<exteriorcolor>red</exteriorcolor><preference>1</preference></colorcombination>
<imagetag width="400" height="300" alttext="front">https://img.example/1.jpg</imagetag>
<price type="asking" currency="USD" source="the dealer">27995</price><pricecomments>firm</pricecomments>
<option><optionname>Hitch</optionname><manufacturercode>H1</manufacturercode><stock>OH</stock>
<weighting>-50</weighting><price type="msrp" currency="USD">199</price></option>
<option><optionname>Mats</optionname><stock>OM</stock></option>
<finance><method>lease</method><amount type="monthly" limit="exact" currency="USD">300</amount>
<balance type="residual" currency="USD">9000</balance></finance>
<comments>As seen on Saturday</comments></vehicle>
<customer><contact primarycontact="1"><name part="first">Zo&#235;</name><name part="middle">Q</name>
<name part="surname">Rivers</name><name part="suffix">Jr</name>
<email preferredcontact="1">zoe@example.org</email>
<phone type="cellphone" time="evening">+13125550148</phone>
<address type="home"><street line="1">1 Main St</street><street line="2">Rear</street><apartment>4</apartment>
<city>Naperville</city><regioncode>IL</regioncode><postalcode>60540</postalcode><country>US</country></address>
</contact><id sequence="1" source="loyalty">L-5</id>
<timeframe><description>soon</description><earliestdate>2026-05-01</earliestdate>
<latestdate>2026-06-01</latestdate></timeframe><comments>Still there?</comments></customer>
<vendor><id source="oem">0047</id><vendorname>Autohaus</vendorname><url>https://hoffmann.example</url>
<contact><name>Sales</name><email>s@hoffmann.example</email></contact></vendor>
<provider><id sequence="1" source="CarPoint">P-3</id><name part="full" type="business">CarPoint</name>
<service>Test Drive</service><url>https://carpoint.example</url><email>leads@carpoint.example</email>
<phone type="voice">+13125550100</phone><contact><name part="full">Support</name>
<email>help@carpoint.example</email></contact></provider>
</prospect></adf>"""
