// RUN: fold
// CHECK: nn.constant {value = dense<[6, 20]> : tensor<2xi32>}
// CHECK-NEXT: func.return
func.func @main() -> tensor<2xi32> {
  %a = nn.constant {value = dense<[2, 4]> : tensor<2xi32>} : tensor<2xi32>
  %b = nn.constant {value = dense<[3, 5]> : tensor<2xi32>} : tensor<2xi32>
  %c = nn.multiply %a, %b : tensor<2xi32>
  func.return %c : tensor<2xi32>
}
