"""The zones of Windows, with their rules and the places that lie in each.

Sources: Unicode CLDR's windowsZones; the rules are the time zone database's (2025b).
"""

from __future__ import annotations

_EU = "M3.5.0,M10.5.0/3"
_US = "M3.2.0,M11.1.0"

# Key, display name, rule, places. Of zones with the same rule the first is the one for places that none of them names.
ZONES = (
    ("UTC", "(UTC) Coordinated Universal Time", "UTC0", "UTC Etc/UTC Etc/UCT Etc/GMT GMT Etc/Greenwich Zulu Universal"),
    (
        *("GMT Standard Time", "(UTC+00:00) Dublin, Edinburgh, Lisbon, London", "GMT0BST,M3.5.0/1,M10.5.0"),
        "Europe/London Europe/Dublin Europe/Lisbon Europe/Jersey Europe/Guernsey Europe/Isle_of_Man Europe/Belfast"
        " Atlantic/Canary Atlantic/Faroe Atlantic/Madeira GB Eire Portugal WET",
    ),
    (
        *("Greenwich Standard Time", "(UTC+00:00) Monrovia, Reykjavik", "GMT0"),
        "Atlantic/Reykjavik Africa/Abidjan Africa/Accra Africa/Dakar Africa/Monrovia Iceland",
    ),
    (
        *(
            "W. Europe Standard Time",
            "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
            f"CET-1CEST,{_EU}",
        ),
        "Europe/Berlin Europe/Amsterdam Europe/Vienna Europe/Zurich Europe/Rome Europe/Stockholm Europe/Oslo"
        " Europe/Luxembourg Europe/Monaco Europe/Malta Europe/Vaduz Europe/San_Marino Europe/Vatican Europe/Andorra"
        " Europe/Gibraltar Europe/Busingen Arctic/Longyearbyen CET",
    ),
    (
        *("Romance Standard Time", "(UTC+01:00) Brussels, Copenhagen, Madrid, Paris", f"CET-1CEST,{_EU}"),
        "Europe/Paris Europe/Brussels Europe/Madrid Europe/Copenhagen Africa/Ceuta",
    ),
    (
        *("Central Europe Standard Time", "(UTC+01:00) Belgrade, Bratislava, Budapest, Ljubljana, Prague"),
        *(f"CET-1CEST,{_EU}", "Europe/Budapest Europe/Prague Europe/Belgrade Europe/Bratislava Europe/Ljubljana"),
    ),
    (
        *("Central European Standard Time", "(UTC+01:00) Sarajevo, Skopje, Warsaw, Zagreb", f"CET-1CEST,{_EU}"),
        "Europe/Warsaw Europe/Sarajevo Europe/Skopje Europe/Zagreb Poland",
    ),
    (
        *("W. Central Africa Standard Time", "(UTC+01:00) West Central Africa", "WAT-1"),
        "Africa/Lagos Africa/Algiers Africa/Tunis Africa/Kinshasa Africa/Luanda",
    ),
    (
        *("GTB Standard Time", "(UTC+02:00) Athens, Bucharest", "EET-2EEST,M3.5.0/3,M10.5.0/4"),
        "Europe/Bucharest Europe/Athens Asia/Nicosia",
    ),
    (
        *("FLE Standard Time", "(UTC+02:00) Helsinki, Kyiv, Riga, Sofia, Tallinn, Vilnius"),
        "EET-2EEST,M3.5.0/3,M10.5.0/4",
        "Europe/Kiev Europe/Kyiv Europe/Helsinki Europe/Sofia Europe/Riga Europe/Tallinn Europe/Vilnius"
        " Europe/Mariehamn EET",
    ),
    (
        *("South Africa Standard Time", "(UTC+02:00) Harare, Pretoria", "SAST-2"),
        "Africa/Johannesburg Africa/Harare Africa/Maputo Africa/Lusaka",
    ),
    (
        *("Israel Standard Time", "(UTC+02:00) Jerusalem", "IST-2IDT,M3.4.4/26,M10.5.0"),
        "Asia/Jerusalem Asia/Tel_Aviv Israel",
    ),
    ("Turkey Standard Time", "(UTC+03:00) Istanbul", "<+03>-3", "Europe/Istanbul Asia/Istanbul Turkey"),
    ("Arab Standard Time", "(UTC+03:00) Kuwait, Riyadh", "<+03>-3", "Asia/Riyadh Asia/Kuwait Asia/Qatar Asia/Bahrain"),
    ("Russian Standard Time", "(UTC+03:00) Moscow, St. Petersburg", "MSK-3", "Europe/Moscow W-SU"),
    ("E. Africa Standard Time", "(UTC+03:00) Nairobi", "EAT-3", "Africa/Nairobi Africa/Addis_Ababa Africa/Kampala"),
    ("Iran Standard Time", "(UTC+03:30) Tehran", "<+0330>-3:30", "Asia/Tehran Iran"),
    ("Arabian Standard Time", "(UTC+04:00) Abu Dhabi, Muscat", "<+04>-4", "Asia/Dubai Asia/Muscat"),
    ("West Asia Standard Time", "(UTC+05:00) Ashgabat, Tashkent", "<+05>-5", "Asia/Tashkent Asia/Ashgabat"),
    ("Pakistan Standard Time", "(UTC+05:00) Islamabad, Karachi", "PKT-5", "Asia/Karachi"),
    (
        *("India Standard Time", "(UTC+05:30) Chennai, Kolkata, Mumbai, New Delhi", "IST-5:30"),
        "Asia/Kolkata Asia/Calcutta",
    ),
    ("Nepal Standard Time", "(UTC+05:45) Kathmandu", "<+0545>-5:45", "Asia/Kathmandu Asia/Katmandu"),
    ("Bangladesh Standard Time", "(UTC+06:00) Dhaka", "<+06>-6", "Asia/Dhaka"),
    (
        *("SE Asia Standard Time", "(UTC+07:00) Bangkok, Hanoi, Jakarta", "<+07>-7"),
        "Asia/Bangkok Asia/Ho_Chi_Minh Asia/Saigon Asia/Jakarta Asia/Phnom_Penh Asia/Vientiane",
    ),
    (
        *("China Standard Time", "(UTC+08:00) Beijing, Chongqing, Hong Kong, Urumqi", "CST-8"),
        "Asia/Shanghai Asia/Chongqing Asia/Hong_Kong Asia/Macau PRC Hongkong",
    ),
    (
        *("Singapore Standard Time", "(UTC+08:00) Kuala Lumpur, Singapore", "<+08>-8"),
        "Asia/Singapore Asia/Kuala_Lumpur Asia/Manila Singapore",
    ),
    ("Taipei Standard Time", "(UTC+08:00) Taipei", "CST-8", "Asia/Taipei ROC"),
    ("W. Australia Standard Time", "(UTC+08:00) Perth", "AWST-8", "Australia/Perth"),
    ("Tokyo Standard Time", "(UTC+09:00) Osaka, Sapporo, Tokyo", "JST-9", "Asia/Tokyo Japan"),
    ("Korea Standard Time", "(UTC+09:00) Seoul", "KST-9", "Asia/Seoul ROK"),
    (
        *("Cen. Australia Standard Time", "(UTC+09:30) Adelaide", "ACST-9:30ACDT,M10.1.0,M4.1.0/3"),
        "Australia/Adelaide Australia/Broken_Hill",
    ),
    ("E. Australia Standard Time", "(UTC+10:00) Brisbane", "AEST-10", "Australia/Brisbane Australia/Lindeman"),
    (
        *("AUS Eastern Standard Time", "(UTC+10:00) Canberra, Melbourne, Sydney", "AEST-10AEDT,M10.1.0,M4.1.0/3"),
        "Australia/Sydney Australia/Melbourne Australia/Canberra",
    ),
    ("Central Pacific Standard Time", "(UTC+11:00) Solomon Is., New Caledonia", "<+11>-11", "Pacific/Guadalcanal"),
    (
        *("New Zealand Standard Time", "(UTC+12:00) Auckland, Wellington", "NZST-12NZDT,M9.5.0,M4.1.0/3"),
        "Pacific/Auckland NZ",
    ),
    ("Tonga Standard Time", "(UTC+13:00) Nuku'alofa", "<+13>-13", "Pacific/Tongatapu"),
    ("Azores Standard Time", "(UTC-01:00) Azores", "<-01>1<+00>,M3.5.0/0,M10.5.0/1", "Atlantic/Azores"),
    ("UTC-02", "(UTC-02:00) Coordinated Universal Time-02", "<-02>2", "Etc/GMT+2 America/Noronha"),
    ("E. South America Standard Time", "(UTC-03:00) Brasilia", "<-03>3", "America/Sao_Paulo Brazil/East"),
    (
        *("Argentina Standard Time", "(UTC-03:00) City of Buenos Aires", "<-03>3"),
        "America/Argentina/Buenos_Aires America/Buenos_Aires",
    ),
    ("Newfoundland Standard Time", "(UTC-03:30) Newfoundland", f"NST3:30NDT,{_US}", "America/St_Johns"),
    (
        *("Atlantic Standard Time", "(UTC-04:00) Atlantic Time (Canada)", f"AST4ADT,{_US}"),
        "America/Halifax Atlantic/Bermuda America/Moncton Canada/Atlantic",
    ),
    (
        *("SA Western Standard Time", "(UTC-04:00) Georgetown, La Paz, Manaus, San Juan", "<-04>4"),
        "America/La_Paz America/Puerto_Rico America/Manaus America/Guyana",
    ),
    (
        *("Eastern Standard Time", "(UTC-05:00) Eastern Time (US & Canada)", f"EST5EDT,{_US}"),
        "America/New_York America/Detroit America/Toronto America/Montreal US/Eastern US/Michigan Canada/Eastern"
        " EST5EDT",
    ),
    (
        *("SA Pacific Standard Time", "(UTC-05:00) Bogota, Lima, Quito, Rio Branco", "<-05>5"),
        "America/Bogota America/Lima America/Guayaquil America/Panama America/Jamaica EST",
    ),
    (
        *("Central Standard Time", "(UTC-06:00) Central Time (US & Canada)", f"CST6CDT,{_US}"),
        "America/Chicago America/Winnipeg US/Central Canada/Central CST6CDT",
    ),
    (
        *("Central Standard Time (Mexico)", "(UTC-06:00) Guadalajara, Mexico City, Monterrey", "CST6"),
        "America/Mexico_City America/Monterrey Mexico/General",
    ),
    (
        *("Mountain Standard Time", "(UTC-07:00) Mountain Time (US & Canada)", f"MST7MDT,{_US}"),
        "America/Denver America/Boise America/Edmonton US/Mountain Canada/Mountain MST7MDT",
    ),
    ("US Mountain Standard Time", "(UTC-07:00) Arizona", "MST7", "America/Phoenix US/Arizona MST"),
    (
        *("Pacific Standard Time", "(UTC-08:00) Pacific Time (US & Canada)", f"PST8PDT,{_US}"),
        "America/Los_Angeles America/Vancouver US/Pacific Canada/Pacific PST8PDT",
    ),
    ("Alaskan Standard Time", "(UTC-09:00) Alaska", f"AKST9AKDT,{_US}", "America/Anchorage America/Juneau US/Alaska"),
    ("Hawaiian Standard Time", "(UTC-10:00) Hawaii", "HST10", "Pacific/Honolulu US/Hawaii HST"),
    ("UTC-11", "(UTC-11:00) Coordinated Universal Time-11", "<-11>11", "Etc/GMT+11 Pacific/Pago_Pago Pacific/Midway"),
    ("Dateline Standard Time", "(UTC-12:00) International Date Line West", "<-12>12", "Etc/GMT+12"),
    # Where fewer people live.
    ("AUS Central Standard Time", "(UTC+09:30) Darwin", "ACST-9:30", "Australia/Darwin"),
    ("Afghanistan Standard Time", "(UTC+04:30) Kabul", "<+0430>-4:30", "Asia/Kabul"),
    ("Aleutian Standard Time", "(UTC-10:00) Aleutian Islands", "HST10HDT,M3.2.0,M11.1.0", "America/Adak US/Aleutian"),
    ("Altai Standard Time", "(UTC+07:00) Barnaul, Gorno-Altaysk", "<+07>-7", "Asia/Barnaul"),
    ("Arabic Standard Time", "(UTC+03:00) Baghdad", "<+03>-3", "Asia/Baghdad"),
    ("Astrakhan Standard Time", "(UTC+04:00) Astrakhan, Ulyanovsk", "<+04>-4", "Europe/Astrakhan Europe/Ulyanovsk"),
    ("Aus Central W. Standard Time", "(UTC+08:45) Eucla", "<+0845>-8:45", "Australia/Eucla"),
    ("Azerbaijan Standard Time", "(UTC+04:00) Baku", "<+04>-4", "Asia/Baku"),
    ("Bahia Standard Time", "(UTC-03:00) Salvador", "<-03>3", "America/Bahia"),
    ("Belarus Standard Time", "(UTC+03:00) Minsk", "<+03>-3", "Europe/Minsk"),
    ("Bougainville Standard Time", "(UTC+11:00) Bougainville Island", "<+11>-11", "Pacific/Bougainville"),
    (
        *("Canada Central Standard Time", "(UTC-06:00) Saskatchewan", "CST6"),
        "America/Regina America/Swift_Current Canada/Saskatchewan",
    ),
    ("Cape Verde Standard Time", "(UTC-01:00) Cabo Verde Is.", "<-01>1", "Atlantic/Cape_Verde Etc/GMT+1"),
    ("Caucasus Standard Time", "(UTC+04:00) Yerevan", "<+04>-4", "Asia/Yerevan"),
    (
        *("Central America Standard Time", "(UTC-06:00) Central America", "CST6"),
        "America/Guatemala America/Costa_Rica America/El_Salvador America/Managua America/Tegucigalpa",
    ),
    (
        *("Central Asia Standard Time", "(UTC+06:00) Astana", "<+06>-6"),
        "Asia/Bishkek Asia/Urumqi Indian/Chagos Etc/GMT-6",
    ),
    ("Central Brazilian Standard Time", "(UTC-04:00) Cuiaba", "<-04>4", "America/Cuiaba America/Campo_Grande"),
    (
        *("Chatham Islands Standard Time", "(UTC+12:45) Chatham Islands"),
        "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45",
        "Pacific/Chatham",
    ),
    ("Cuba Standard Time", "(UTC-05:00) Havana", "CST5CDT,M3.2.0/0,M11.1.0/1", "America/Havana Cuba"),
    ("E. Europe Standard Time", "(UTC+02:00) Chisinau", "EET-2EEST,M3.5.0,M10.5.0/3", "Europe/Chisinau"),
    ("Easter Island Standard Time", "(UTC-06:00) Easter Island", "<-06>6<-05>,M9.1.6/22,M4.1.6/22", "Pacific/Easter"),
    ("Eastern Standard Time (Mexico)", "(UTC-05:00) Chetumal", "EST5", "America/Cancun"),
    ("Egypt Standard Time", "(UTC+02:00) Cairo", "EET-2EEST,M4.5.5/0,M10.5.4/24", "Africa/Cairo Egypt"),
    ("Ekaterinburg Standard Time", "(UTC+05:00) Ekaterinburg", "<+05>-5", "Asia/Yekaterinburg"),
    ("Fiji Standard Time", "(UTC+12:00) Fiji", "<+12>-12", "Pacific/Fiji"),
    ("Georgian Standard Time", "(UTC+04:00) Tbilisi", "<+04>-4", "Asia/Tbilisi"),
    (
        *("Greenland Standard Time", "(UTC-02:00) Greenland", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"),
        "America/Nuuk America/Godthab",
    ),
    ("Haiti Standard Time", "(UTC-05:00) Haiti", "EST5EDT,M3.2.0,M11.1.0", "America/Port-au-Prince"),
    ("Jordan Standard Time", "(UTC+03:00) Amman", "<+03>-3", "Asia/Amman"),
    ("Kaliningrad Standard Time", "(UTC+02:00) Kaliningrad", "EET-2", "Europe/Kaliningrad"),
    ("Libya Standard Time", "(UTC+02:00) Tripoli", "EET-2", "Africa/Tripoli Libya"),
    ("Line Islands Standard Time", "(UTC+14:00) Kiritimati Island", "<+14>-14", "Pacific/Kiritimati Etc/GMT-14"),
    (
        *("Lord Howe Standard Time", "(UTC+10:30) Lord Howe Island", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"),
        "Australia/Lord_Howe",
    ),
    ("Magadan Standard Time", "(UTC+11:00) Magadan", "<+11>-11", "Asia/Magadan"),
    ("Magallanes Standard Time", "(UTC-03:00) Punta Arenas", "<-03>3", "America/Punta_Arenas"),
    ("Marquesas Standard Time", "(UTC-09:30) Marquesas Islands", "<-0930>9:30", "Pacific/Marquesas"),
    ("Mauritius Standard Time", "(UTC+04:00) Port Louis", "<+04>-4", "Indian/Mauritius Indian/Reunion Indian/Mahe"),
    ("Middle East Standard Time", "(UTC+02:00) Beirut", "EET-2EEST,M3.5.0/0,M10.5.0/0", "Asia/Beirut"),
    ("Montevideo Standard Time", "(UTC-03:00) Montevideo", "<-03>3", "America/Montevideo"),
    ("Morocco Standard Time", "(UTC+01:00) Casablanca", "<+01>-1", "Africa/Casablanca Africa/El_Aaiun"),
    ("Mountain Standard Time (Mexico)", "(UTC-07:00) La Paz, Mazatlan", "MST7", "America/Mazatlan"),
    (
        *("Myanmar Standard Time", "(UTC+06:30) Yangon (Rangoon)", "<+0630>-6:30"),
        "Asia/Yangon Asia/Rangoon Indian/Cocos",
    ),
    ("N. Central Asia Standard Time", "(UTC+07:00) Novosibirsk", "<+07>-7", "Asia/Novosibirsk"),
    ("Namibia Standard Time", "(UTC+02:00) Windhoek", "CAT-2", "Africa/Windhoek"),
    ("Norfolk Standard Time", "(UTC+11:00) Norfolk Island", "<+11>-11<+12>,M10.1.0,M4.1.0/3", "Pacific/Norfolk"),
    ("North Asia East Standard Time", "(UTC+08:00) Irkutsk", "<+08>-8", "Asia/Irkutsk"),
    ("North Asia Standard Time", "(UTC+07:00) Krasnoyarsk", "<+07>-7", "Asia/Krasnoyarsk Asia/Novokuznetsk"),
    ("North Korea Standard Time", "(UTC+09:00) Pyongyang", "KST-9", "Asia/Pyongyang"),
    ("Omsk Standard Time", "(UTC+06:00) Omsk", "<+06>-6", "Asia/Omsk"),
    (
        *("Pacific SA Standard Time", "(UTC-04:00) Santiago", "<-04>4<-03>,M9.1.6/24,M4.1.6/24"),
        "America/Santiago Chile/Continental",
    ),
    ("Pacific Standard Time (Mexico)", "(UTC-08:00) Baja California", "PST8PDT,M3.2.0,M11.1.0", "America/Tijuana"),
    ("Paraguay Standard Time", "(UTC-03:00) Asuncion", "<-03>3", "America/Asuncion"),
    ("Qyzylorda Standard Time", "(UTC+05:00) Qyzylorda", "<+05>-5", "Asia/Qyzylorda"),
    ("Russia Time Zone 10", "(UTC+11:00) Chokurdakh", "<+11>-11", "Asia/Srednekolymsk"),
    ("Russia Time Zone 11", "(UTC+12:00) Anadyr, Petropavlovsk-Kamchatsky", "<+12>-12", "Asia/Kamchatka Asia/Anadyr"),
    ("Russia Time Zone 3", "(UTC+04:00) Izhevsk, Samara", "<+04>-4", "Europe/Samara"),
    (
        *("SA Eastern Standard Time", "(UTC-03:00) Cayenne, Fortaleza", "<-03>3"),
        "America/Cayenne America/Fortaleza America/Belem America/Recife America/Paramaribo",
    ),
    (
        *("Saint Pierre Standard Time", "(UTC-03:00) Saint Pierre and Miquelon", "<-03>3<-02>,M3.2.0,M11.1.0"),
        "America/Miquelon",
    ),
    ("Sakhalin Standard Time", "(UTC+11:00) Sakhalin", "<+11>-11", "Asia/Sakhalin"),
    ("Samoa Standard Time", "(UTC+13:00) Samoa", "<+13>-13", "Pacific/Apia"),
    ("Sao Tome Standard Time", "(UTC+00:00) Sao Tome", "GMT0", "Africa/Sao_Tome"),
    ("Saratov Standard Time", "(UTC+04:00) Saratov", "<+04>-4", "Europe/Saratov"),
    ("South Sudan Standard Time", "(UTC+02:00) Juba", "CAT-2", "Africa/Juba"),
    ("Sri Lanka Standard Time", "(UTC+05:30) Sri Jayawardenepura", "<+0530>-5:30", "Asia/Colombo"),
    ("Sudan Standard Time", "(UTC+02:00) Khartoum", "CAT-2", "Africa/Khartoum"),
    ("Syria Standard Time", "(UTC+03:00) Damascus", "<+03>-3", "Asia/Damascus"),
    (
        *("Tasmania Standard Time", "(UTC+10:00) Hobart", "AEST-10AEDT,M10.1.0,M4.1.0/3"),
        "Australia/Hobart Australia/Currie",
    ),
    ("Tocantins Standard Time", "(UTC-03:00) Araguaina", "<-03>3", "America/Araguaina"),
    ("Tomsk Standard Time", "(UTC+07:00) Tomsk", "<+07>-7", "Asia/Tomsk"),
    ("Transbaikal Standard Time", "(UTC+09:00) Chita", "<+09>-9", "Asia/Chita"),
    (
        *("Turks And Caicos Standard Time", "(UTC-05:00) Turks and Caicos", "EST5EDT,M3.2.0,M11.1.0"),
        "America/Grand_Turk",
    ),
    (
        *("US Eastern Standard Time", "(UTC-05:00) Indiana (East)", "EST5EDT,M3.2.0,M11.1.0"),
        "America/Indiana/Indianapolis America/Indianapolis US/East-Indiana",
    ),
    (
        *("UTC+12", "(UTC+12:00) Coordinated Universal Time+12", "<+12>-12"),
        "Etc/GMT-12 Pacific/Tarawa Pacific/Majuro Pacific/Funafuti",
    ),
    ("UTC+13", "(UTC+13:00) Coordinated Universal Time+13", "<+13>-13", "Etc/GMT-13 Pacific/Fakaofo"),
    ("UTC-08", "(UTC-08:00) Coordinated Universal Time-08", "<-08>8", "Etc/GMT+8 Pacific/Pitcairn"),
    ("UTC-09", "(UTC-09:00) Coordinated Universal Time-09", "<-09>9", "Etc/GMT+9 Pacific/Gambier"),
    ("Ulaanbaatar Standard Time", "(UTC+08:00) Ulaanbaatar", "<+08>-8", "Asia/Ulaanbaatar"),
    ("Venezuela Standard Time", "(UTC-04:00) Caracas", "<-04>4", "America/Caracas"),
    ("Vladivostok Standard Time", "(UTC+10:00) Vladivostok", "<+10>-10", "Asia/Vladivostok Asia/Ust-Nera"),
    ("Volgograd Standard Time", "(UTC+03:00) Volgograd", "MSK-3", "Europe/Volgograd"),
    ("W. Mongolia Standard Time", "(UTC+07:00) Hovd", "<+07>-7", "Asia/Hovd"),
    (
        *("West Bank Standard Time", "(UTC+02:00) Gaza, Hebron", "EET-2EEST,M3.4.4/50,M10.4.4/50"),
        "Asia/Hebron Asia/Gaza",
    ),
    (
        *("West Pacific Standard Time", "(UTC+10:00) Guam, Port Moresby", "<+10>-10"),
        "Pacific/Port_Moresby Pacific/Guam Etc/GMT-10",
    ),
    ("Yakutsk Standard Time", "(UTC+09:00) Yakutsk", "<+09>-9", "Asia/Yakutsk Asia/Khandyga"),
    ("Yukon Standard Time", "(UTC-07:00) Yukon", "MST7", "America/Whitehorse America/Dawson Canada/Yukon"),
)
