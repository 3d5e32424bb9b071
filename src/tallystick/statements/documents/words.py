"""The words of documents, by language. A language without words of its own gets English ones."""
# ruff: noqa: RUF001 - other languages have signs of their own

from typing import Final

import msgspec


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What stands on a document beside the data. Braces hold what is filled in."""

    invoice: str
    statement: str
    draft: str
    bill_to: str
    invoice_number: str
    invoice_date: str
    due_date: str
    billing_period: str
    purchase_order: str
    account: str
    tax_id: str
    total_due: str
    in_your_favour: str
    description: str
    quantity: str
    price: str
    amount: str
    other: str
    credits: str
    subtotal: str
    charges: str
    tier: str
    fixed: str
    rate: str
    payment: str
    appendix: str
    appendix_note: str
    appendix_left_out: str
    page: str
    no_lines: str
    span: str
    units: str
    total: str
    whole_bill: str
    everything_else: str
    none: str


WORDS: Final[dict[str, Words]] = {
    "en": Words(
        invoice="Invoice",
        statement="Usage statement",
        draft="Draft: not yet approved, amounts may change",
        bill_to="Bill to",
        invoice_number="Invoice number",
        invoice_date="Invoice date",
        due_date="Due date",
        billing_period="Billing period",
        purchase_order="Purchase order",
        account="Account",
        tax_id="Tax ID",
        total_due="Total due",
        in_your_favour="Total in your favour",
        description="Description",
        quantity="Quantity",
        price="Unit price",
        amount="Amount",
        other="Other charges",
        credits="Credits, commitments and balances",
        subtotal="Subtotal {name}",
        charges="Charges",
        tier="Tier from {limit}",
        fixed="fixed",
        rate="Converted at 1 {from_currency} = {rate} {to_currency}.",
        payment="Payment",
        appendix="Appendix: how each amount came about",
        appendix_note="Each step can be checked with a pocket calculator.",
        appendix_left_out=(
            "This invoice has {count} lines, too many for an appendix. "
            "How each amount came about is told on request."
        ),
        page="Page {page} of {pages}",
        no_lines="Nothing was charged in this period.",
        span="Period",
        units="Units",
        total="Total",
        whole_bill="Total of the bill",
        everything_else="everything else",
        none="none",
    ),
    "de": Words(
        invoice="Rechnung",
        statement="Nutzungsnachweis",
        draft="Entwurf: noch nicht freigegeben, Beträge können sich ändern",
        bill_to="Rechnungsempfänger",
        invoice_number="Rechnungsnummer",
        invoice_date="Rechnungsdatum",
        due_date="Fällig am",
        billing_period="Abrechnungszeitraum",
        purchase_order="Bestellnummer",
        account="Kundenkonto",
        tax_id="Steuernummer",
        total_due="Gesamtbetrag",
        in_your_favour="Guthaben zu Ihren Gunsten",
        description="Beschreibung",
        quantity="Menge",
        price="Einzelpreis",
        amount="Betrag",
        other="Weitere Posten",
        credits="Gutschriften, Vorauszahlungen und Guthaben",
        subtotal="Zwischensumme {name}",
        charges="Summe der Posten",
        tier="Stufe ab {limit}",
        fixed="fest",
        rate="Umgerechnet mit 1 {from_currency} = {rate} {to_currency}.",
        payment="Zahlung",
        appendix="Anhang: So kommt jeder Betrag zustande",
        appendix_note="Jeder Schritt lässt sich mit dem Taschenrechner nachrechnen.",
        appendix_left_out=(
            "Diese Rechnung hat {count} Positionen, zu viele für einen Anhang. "
            "Wie jeder Betrag zustande kam, teilen wir auf Anfrage mit."
        ),
        page="Seite {page} von {pages}",
        no_lines="In diesem Zeitraum ist nichts berechnet worden.",
        span="Zeitraum",
        units="Einheiten",
        total="Summe",
        whole_bill="Summe der Rechnung",
        everything_else="alles Übrige",
        none="ohne",
    ),
    "fr": Words(
        invoice="Facture",
        statement="Relevé d’utilisation",
        draft="Brouillon : non validé, les montants peuvent changer",
        bill_to="Facturé à",
        invoice_number="Numéro de facture",
        invoice_date="Date de facture",
        due_date="Date d’échéance",
        billing_period="Période de facturation",
        purchase_order="Bon de commande",
        account="Compte",
        tax_id="Numéro fiscal",
        total_due="Total à payer",
        in_your_favour="Total en votre faveur",
        description="Désignation",
        quantity="Quantité",
        price="Prix unitaire",
        amount="Montant",
        other="Autres frais",
        credits="Avoirs, engagements et soldes",
        subtotal="Sous-total {name}",
        charges="Total des frais",
        tier="Palier à partir de {limit}",
        fixed="fixe",
        rate="Converti au taux de 1 {from_currency} = {rate} {to_currency}.",
        payment="Paiement",
        appendix="Annexe : l’origine de chaque montant",
        appendix_note="Chaque étape se vérifie avec une calculatrice de poche.",
        appendix_left_out=(
            "Cette facture compte {count} lignes, trop pour une annexe. "
            "Le calcul de chaque montant est communiqué sur demande."
        ),
        page="Page {page} sur {pages}",
        no_lines="Rien n’a été facturé pour cette période.",
        span="Période",
        units="Unités",
        total="Total",
        whole_bill="Total de la facture",
        everything_else="tout le reste",
        none="aucun",
    ),
    "es": Words(
        invoice="Factura",
        statement="Detalle de consumo",
        draft="Borrador: sin aprobar, los importes pueden cambiar",
        bill_to="Facturar a",
        invoice_number="Número de factura",
        invoice_date="Fecha de factura",
        due_date="Vencimiento",
        billing_period="Período de facturación",
        purchase_order="Orden de compra",
        account="Cuenta",
        tax_id="NIF",
        total_due="Total a pagar",
        in_your_favour="Total a su favor",
        description="Descripción",
        quantity="Cantidad",
        price="Precio unitario",
        amount="Importe",
        other="Otros cargos",
        credits="Abonos, compromisos y saldos",
        subtotal="Subtotal {name}",
        charges="Total de cargos",
        tier="Tramo desde {limit}",
        fixed="fijo",
        rate="Convertido a 1 {from_currency} = {rate} {to_currency}.",
        payment="Pago",
        appendix="Anexo: de dónde sale cada importe",
        appendix_note="Cada paso puede comprobarse con una calculadora.",
        appendix_left_out=(
            "Esta factura tiene {count} líneas, demasiadas para un anexo. "
            "El cálculo de cada importe se comunica a petición."
        ),
        page="Página {page} de {pages}",
        no_lines="No se ha facturado nada en este período.",
        span="Período",
        units="Unidades",
        total="Total",
        whole_bill="Total de la factura",
        everything_else="todo lo demás",
        none="ninguno",
    ),
    "it": Words(
        invoice="Fattura",
        statement="Dettaglio dei consumi",
        draft="Bozza: non ancora approvata, gli importi possono cambiare",
        bill_to="Intestata a",
        invoice_number="Numero fattura",
        invoice_date="Data fattura",
        due_date="Scadenza",
        billing_period="Periodo di fatturazione",
        purchase_order="Ordine d’acquisto",
        account="Conto",
        tax_id="Partita IVA",
        total_due="Totale da pagare",
        in_your_favour="Totale a vostro favore",
        description="Descrizione",
        quantity="Quantità",
        price="Prezzo unitario",
        amount="Importo",
        other="Altri addebiti",
        credits="Crediti, impegni e saldi",
        subtotal="Subtotale {name}",
        charges="Totale addebiti",
        tier="Scaglione da {limit}",
        fixed="fisso",
        rate="Convertito a 1 {from_currency} = {rate} {to_currency}.",
        payment="Pagamento",
        appendix="Allegato: come nasce ogni importo",
        appendix_note="Ogni passaggio si può verificare con una calcolatrice.",
        appendix_left_out=(
            "Questa fattura ha {count} righe, troppe per un allegato. "
            "Il calcolo di ogni importo è comunicato su richiesta."
        ),
        page="Pagina {page} di {pages}",
        no_lines="Nessun addebito in questo periodo.",
        span="Periodo",
        units="Unità",
        total="Totale",
        whole_bill="Totale della fattura",
        everything_else="tutto il resto",
        none="nessuno",
    ),
    "nl": Words(
        invoice="Factuur",
        statement="Verbruiksoverzicht",
        draft="Concept: nog niet goedgekeurd, bedragen kunnen wijzigen",
        bill_to="Factuur aan",
        invoice_number="Factuurnummer",
        invoice_date="Factuurdatum",
        due_date="Vervaldatum",
        billing_period="Factuurperiode",
        purchase_order="Inkoopnummer",
        account="Account",
        tax_id="Btw-nummer",
        total_due="Totaal te betalen",
        in_your_favour="Totaal in uw voordeel",
        description="Omschrijving",
        quantity="Aantal",
        price="Stukprijs",
        amount="Bedrag",
        other="Overige kosten",
        credits="Credits, toezeggingen en saldi",
        subtotal="Subtotaal {name}",
        charges="Totaal kosten",
        tier="Staffel vanaf {limit}",
        fixed="vast",
        rate="Omgerekend tegen 1 {from_currency} = {rate} {to_currency}.",
        payment="Betaling",
        appendix="Bijlage: hoe elk bedrag tot stand komt",
        appendix_note="Elke stap is met een rekenmachine na te rekenen.",
        appendix_left_out=(
            "Deze factuur heeft {count} regels, te veel voor een bijlage. "
            "Hoe elk bedrag tot stand kwam, delen wij op verzoek mee."
        ),
        page="Pagina {page} van {pages}",
        no_lines="In deze periode is niets in rekening gebracht.",
        span="Periode",
        units="Eenheden",
        total="Totaal",
        whole_bill="Totaal van de factuur",
        everything_else="al het overige",
        none="geen",
    ),
    "pt": Words(
        invoice="Fatura",
        statement="Extrato de utilização",
        draft="Rascunho: ainda não aprovado, os valores podem mudar",
        bill_to="Faturar a",
        invoice_number="Número da fatura",
        invoice_date="Data da fatura",
        due_date="Vencimento",
        billing_period="Período de faturação",
        purchase_order="Ordem de compra",
        account="Conta",
        tax_id="Número fiscal",
        total_due="Total a pagar",
        in_your_favour="Total a seu favor",
        description="Descrição",
        quantity="Quantidade",
        price="Preço unitário",
        amount="Valor",
        other="Outros encargos",
        credits="Créditos, compromissos e saldos",
        subtotal="Subtotal {name}",
        charges="Total de encargos",
        tier="Escalão a partir de {limit}",
        fixed="fixo",
        rate="Convertido a 1 {from_currency} = {rate} {to_currency}.",
        payment="Pagamento",
        appendix="Anexo: a origem de cada valor",
        appendix_note="Cada passo pode ser verificado com uma calculadora.",
        appendix_left_out=(
            "Esta fatura tem {count} linhas, demasiadas para um anexo. "
            "O cálculo de cada valor é comunicado a pedido."
        ),
        page="Página {page} de {pages}",
        no_lines="Nada foi faturado neste período.",
        span="Período",
        units="Unidades",
        total="Total",
        whole_bill="Total da fatura",
        everything_else="tudo o resto",
        none="nenhum",
    ),
    "ja": Words(
        invoice="請求書",
        statement="利用明細書",
        draft="下書き：未承認のため金額が変わることがあります",
        bill_to="請求先",
        invoice_number="請求書番号",
        invoice_date="請求日",
        due_date="支払期限",
        billing_period="請求期間",
        purchase_order="発注番号",
        account="アカウント",
        tax_id="登録番号",
        total_due="ご請求金額",
        in_your_favour="お客様の残高",
        description="品目",
        quantity="数量",
        price="単価",
        amount="金額",
        other="その他の料金",
        credits="クレジット・コミットメント・残高",
        subtotal="小計 {name}",
        charges="料金合計",
        tier="{limit}からの段階",
        fixed="固定",
        rate="換算レート：1 {from_currency} = {rate} {to_currency}",
        payment="お支払い",
        appendix="付録：各金額の計算根拠",
        appendix_note="各計算は電卓で確認できます。",
        appendix_left_out="この請求書は{count}行あり、付録を省略しています。各金額の計算はご請求により開示します。",
        page="{page} / {pages} ページ",
        no_lines="この期間のご請求はありません。",
        span="期間",
        units="単位数",
        total="合計",
        whole_bill="請求書の合計",
        everything_else="その他すべて",
        none="なし",
    ),
    "ar": Words(
        invoice="فاتورة",
        statement="كشف الاستخدام",
        draft="مسودة: لم تُعتمد بعد وقد تتغير المبالغ",
        bill_to="فاتورة إلى",
        invoice_number="رقم الفاتورة",
        invoice_date="تاريخ الفاتورة",
        due_date="تاريخ الاستحقاق",
        billing_period="فترة الفوترة",
        purchase_order="أمر الشراء",
        account="الحساب",
        tax_id="الرقم الضريبي",
        total_due="المبلغ المستحق",
        in_your_favour="المبلغ لصالحكم",
        description="الوصف",
        quantity="الكمية",
        price="سعر الوحدة",
        amount="المبلغ",
        other="رسوم أخرى",
        credits="الأرصدة الدائنة والالتزامات",
        subtotal="المجموع الفرعي {name}",
        charges="مجموع الرسوم",
        tier="الشريحة من {limit}",
        fixed="ثابت",
        rate="سعر التحويل: 1 {from_currency} = {rate} {to_currency}",
        payment="الدفع",
        appendix="ملحق: كيف حُسب كل مبلغ",
        appendix_note="يمكن التحقق من كل خطوة بآلة حاسبة.",
        appendix_left_out=(
            "تحتوي هذه الفاتورة على {count} سطرًا، وهو أكثر من أن يتسع له الملحق. "
            "يُقدَّم بيان حساب كل مبلغ عند الطلب."
        ),
        page="صفحة {page} من {pages}",
        no_lines="لم يُحتسب أي مبلغ في هذه الفترة.",
        span="الفترة",
        units="الوحدات",
        total="المجموع",
        whole_bill="مجموع الفاتورة",
        everything_else="كل ما عدا ذلك",
        none="بدون",
    ),
}


def words_of(language: str) -> Words:
    """Give a language's words, or English ones."""
    return WORDS.get(language, WORDS["en"])
